package magic.spark;

import org.apache.spark.TaskContext;

/** Whether a wait is still wanted: Spark kills tasks by a mark, and not always by an interruption. */
final class Interruption {
  /** How often those who wait look. */
  static final long PERIOD_MILLIS = 200;

  private Interruption() {}

  /** Throws when the task of this thread, if there is one, has been killed. */
  static void check() throws InterruptedException {
    TaskContext task = TaskContext.get();
    if (task != null && task.isInterrupted()) {
      throw new InterruptedException("the task was killed");
    }
  }
}
