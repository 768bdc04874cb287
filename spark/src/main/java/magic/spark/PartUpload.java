package magic.spark;

import java.io.IOException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The rows of one task, or the keys of rows that go: a part of the transaction of their own. */
final class PartUpload {
  private static final Logger LOG = LoggerFactory.getLogger(PartUpload.class);

  private final WriteTask task;
  private final boolean isDeletion;
  private final StructType schema;
  private String part;
  private RowUpload upload;

  /**
   * @param isDeletion whether rows of these keys go
   * @param schema of the rows
   */
  PartUpload(WriteTask task, boolean isDeletion, StructType schema) {
    this.task = task;
    this.isDeletion = isDeletion;
    this.schema = schema;
  }

  /** Adds a row; the first one begins the part. */
  void add(InternalRow row) throws IOException {
    if (upload == null) {
      part = MagicClient.of(task.options()).call(task.url(), "transactions/begin",
          MagicClient.object().put("partOf", task.transaction())).path("transaction").asText();
      RowTarget target = isDeletion
          ? RowTarget.delete(task.database(), task.table(), part)
          : RowTarget.insert(task.database(), task.table(), part);
      upload = new RowUpload(task.options(), task.url(), target, schema);
    }
    upload.add(row);
  }

  /** Waits until all rows are there; gives the part's name, or null when there were no rows. */
  String finish() throws IOException {
    if (upload != null) {
      upload.finish();
      upload.close();
      upload = null;
    }
    return part;
  }

  /** Gives up what was written. */
  void abort() {
    close();
    if (part == null) {
      return;
    }
    try {
      MagicClient.of(task.options()).callOnce(task.url(), "transactions/rollback",
          MagicClient.object().put("transaction", part));
    } catch (MagicException error) {
      // It ends with its transaction.
      LOG.info("{}", error.getMessage());
    }
    part = null;
  }

  /** Frees what a part that did not come to its end holds. */
  void close() {
    if (upload != null) {
      upload.close();
      upload = null;
    }
  }
}
