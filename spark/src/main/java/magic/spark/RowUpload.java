package magic.spark;

import java.io.IOException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.util.ThreadUtils;

/** Rows on their way into a table. When it is closed before {@link #finish()}, none arrive. */
final class RowUpload implements AutoCloseable {
  private static final long BATCH_BYTES = 8 << 20;
  private static final long BEAT_SECONDS = 15;
  private static final ScheduledExecutorService BEATS =
      ThreadUtils.newDaemonThreadPoolScheduledExecutor("magic-uploads", 2);
  /** How often the size of a batch is looked at, in rows. */
  private static final int SIZE_PERIOD = 256;

  private final int batchRows;
  private final RowStream body;
  private final BufferAllocator allocator;
  private final VectorSchemaRoot root;
  private final ArrowWriter rows;
  private final ArrowStreamWriter stream;
  private final ScheduledFuture<?> beat;
  private int pending;
  private long sent = System.nanoTime();
  private boolean isOver;

  RowUpload(ConnectionOptions options, String url, RowTarget target, StructType schema)
      throws IOException {
    batchRows = options.batchRows();
    allocator = ArrowUtils.rootAllocator().newChildAllocator("magic write", 0, Long.MAX_VALUE);
    root = VectorSchemaRoot.create(
        ArrowUtils.toArrowSchema(schema, "UTC", true, false, false), allocator);
    rows = ArrowWriter.create(root);
    body = MagicClient.of(options).write(url, target);
    stream = new ArrowStreamWriter(root, null, body);
    stream.start();
    beat = BEATS.scheduleWithFixedDelay(
        this::beat, BEAT_SECONDS, BEAT_SECONDS, TimeUnit.SECONDS);
  }

  /** The server gives up a client that sends nothing for long, as tasks do that compute their rows. */
  private synchronized void beat() {
    if (isOver || System.nanoTime() - sent < TimeUnit.SECONDS.toNanos(BEAT_SECONDS)) {
      return;
    }
    try {
      send();
      body.flush();
    } catch (IOException | RuntimeException error) {
      // Who adds rows is told.
      isOver = true;
    }
  }

  /** Adds a row. */
  synchronized void add(InternalRow row) throws IOException {
    rows.write(row);
    pending++;
    if (pending >= batchRows || pending % SIZE_PERIOD == 0 && rows.sizeInBytes() >= BATCH_BYTES) {
      send();
    }
  }

  /** Waits until the server has all rows. */
  void finish() throws IOException {
    synchronized (this) {
      isOver = true;
      if (pending > 0) {
        send();
      }
      stream.end();
    }
    body.finish();
  }

  private void send() throws IOException {
    rows.finish();
    stream.writeBatch();
    rows.reset();
    pending = 0;
    sent = System.nanoTime();
  }

  @Override
  public void close() {
    beat.cancel(false);
    body.close();
    synchronized (this) {
      isOver = true;
    }
    root.close();
    allocator.close();
  }
}
