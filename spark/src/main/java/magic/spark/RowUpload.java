package magic.spark;

import java.io.IOException;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;

/** Rows on their way into a table. When it is closed before {@link #finish()}, none arrive. */
final class RowUpload implements AutoCloseable {
  private static final long BATCH_BYTES = 8 << 20;
  /** How often the size of a batch is looked at, in rows. */
  private static final int SIZE_PERIOD = 256;

  private final int batchRows;
  private final RowStream body;
  private final BufferAllocator allocator;
  private final VectorSchemaRoot root;
  private final ArrowWriter rows;
  private final ArrowStreamWriter stream;
  private int pending;

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
  }

  /** Adds a row. */
  void add(InternalRow row) throws IOException {
    rows.write(row);
    pending++;
    if (pending >= batchRows || pending % SIZE_PERIOD == 0 && rows.sizeInBytes() >= BATCH_BYTES) {
      send();
    }
  }

  /** Waits until the server has all rows. */
  void finish() throws IOException {
    if (pending > 0) {
      send();
    }
    stream.end();
    body.finish();
  }

  private void send() throws IOException {
    rows.finish();
    stream.writeBatch();
    rows.reset();
    pending = 0;
  }

  @Override
  public void close() {
    body.close();
    root.close();
    allocator.close();
  }
}
