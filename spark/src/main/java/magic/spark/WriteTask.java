package magic.spark;

import java.io.IOException;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.write.DataWriter;
import org.apache.spark.sql.connector.write.DeltaWriter;
import org.apache.spark.sql.connector.write.DeltaWriterFactory;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.apache.spark.sql.connector.write.streaming.StreamingDataWriterFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * What tasks need to write their rows.
 *
 * @param options how to reach the server
 * @param url the server
 * @param transaction of which the tasks write parts
 * @param database the table's database
 * @param table its name there
 * @param schema of the rows
 * @param idSchema of the keys of rows that change; null when rows are only added
 * @param key where the columns of the key are among those of the rows
 */
record WriteTask(
    ConnectionOptions options,
    String url,
    String transaction,
    String database,
    String table,
    StructType schema,
    StructType idSchema,
    List<Integer> key)
    implements DeltaWriterFactory, StreamingDataWriterFactory {

  @Override
  public DeltaWriter<InternalRow> createWriter(int partition, long task) {
    return new Writer(this);
  }

  @Override
  public DataWriter<InternalRow> createWriter(int partition, long task, long epoch) {
    return new Writer(this);
  }

  /** Writes in one task. */
  private static final class Writer implements DeltaWriter<InternalRow> {
    private final WriteTask task;
    private final PartUpload deletions;
    private final PartUpload rows;

    Writer(WriteTask task) {
      this.task = task;
      this.deletions = new PartUpload(task, true, task.idSchema());
      this.rows = new PartUpload(task, false, task.schema());
    }

    @Override
    public void insert(InternalRow row) throws IOException {
      rows.add(row);
    }

    @Override
    public void delete(InternalRow metadata, InternalRow id) throws IOException {
      deletions.add(id);
    }

    /** A row takes the place of that of its key, so only another key is a deletion, too. */
    @Override
    public void update(InternalRow metadata, InternalRow id, InternalRow row) throws IOException {
      if (!hasKey(row, id)) {
        deletions.add(id);
      }
      rows.add(row);
    }

    private boolean hasKey(InternalRow row, InternalRow id) {
      for (int index = 0; index < task.key().size(); index++) {
        DataType type = task.idSchema().fields()[index].dataType();
        if (!id.get(index, type).equals(row.get(task.key().get(index), type))) {
          return false;
        }
      }
      return true;
    }

    @Override
    public WriterCommitMessage commit() throws IOException {
      return new WrittenParts(deletions.finish(), rows.finish());
    }

    @Override
    public void abort() {
      deletions.abort();
      rows.abort();
    }

    @Override
    public void close() {
      deletions.close();
      rows.close();
    }
  }
}
