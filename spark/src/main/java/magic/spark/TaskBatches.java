package magic.spark;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.vectorized.ColumnarBatch;

/**
 * The batches that a task has read. They are freed when many have come after them, the last ones
 * at the end of the task: Spark still reads batches that are on their way through a Python function
 * after it has asked for the next one, and closed the reader.
 */
final class TaskBatches implements AutoCloseable {
  /** Of batches that are larger together the oldest are freed, but for a few. */
  private static final long KEPT_BYTES = 64 << 20;
  private static final int KEPT_BATCHES = 4;

  private static final Map<Long, TaskBatches> TASKS = new ConcurrentHashMap<>();

  private final BufferAllocator allocator =
      ArrowUtils.rootAllocator().newChildAllocator("magic scan", 0, Long.MAX_VALUE);
  private final Deque<ColumnarBatch> given = new ArrayDeque<>();

  /** Those of the task that this thread works for. */
  static TaskBatches ofTask() {
    TaskContext task = TaskContext.get();
    long id = task.taskAttemptId();
    return TASKS.computeIfAbsent(id, ignored -> {
      TaskBatches batches = new TaskBatches();
      task.addTaskCompletionListener(ended -> {
        TASKS.remove(id);
        batches.close();
      });
      return batches;
    });
  }

  /** What the vectors of the task's batches are made by. */
  BufferAllocator allocator() {
    return allocator;
  }

  /** Takes a batch that is given to Spark. */
  synchronized void add(ColumnarBatch batch) {
    given.addLast(batch);
    while (allocator.getAllocatedMemory() > KEPT_BYTES && given.size() > KEPT_BATCHES) {
      given.removeFirst().close();
    }
  }

  @Override
  public synchronized void close() {
    given.forEach(ColumnarBatch::close);
    given.clear();
    allocator.close();
  }
}
