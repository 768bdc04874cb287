package magic.spark;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.spark.sql.connector.write.BatchWrite;
import org.apache.spark.sql.connector.write.DataWriterFactory;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.PhysicalWriteInfo;
import org.apache.spark.sql.connector.write.Write;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.apache.spark.sql.connector.write.streaming.StreamingDataWriterFactory;
import org.apache.spark.sql.connector.write.streaming.StreamingWrite;

/**
 * Writes rows into a table. What a job, or an epoch of a streaming query, writes is published in one
 * step when it is committed, and nothing of it otherwise.
 */
final class MagicWrite implements Write, BatchWrite, StreamingWrite {
  private final WritableTable table;
  private final LogicalWriteInfo info;
  private final MagicWriteBuilder.Replaced replaced;
  private final Optional<StagedMagicTable> staged;
  private WriteTransaction transaction;

  MagicWrite(WritableTable table, LogicalWriteInfo info, MagicWriteBuilder.Replaced replaced,
      Optional<StagedMagicTable> staged) {
    this.table = table;
    this.info = info;
    this.replaced = replaced;
    this.staged = staged;
  }

  @Override
  public String description() {
    return "Magic " + table.name();
  }

  @Override
  public BatchWrite toBatch() {
    return this;
  }

  @Override
  public StreamingWrite toStreaming() {
    return this;
  }

  @Override
  public DataWriterFactory createBatchWriterFactory(PhysicalWriteInfo physical) {
    return task();
  }

  @Override
  public StreamingDataWriterFactory createStreamingWriterFactory(PhysicalWriteInfo physical) {
    return task();
  }

  private WriteTask task() {
    ConnectionOptions options = table.options().with(info.options());
    transaction = staged.map(StagedMagicTable::transaction)
        .orElseGet(() -> WriteTransaction.begin(table.options(), this::prepare));
    return new WriteTask(options, transaction.url(), transaction.id(),
        table.database(), table.table(), info.schema(), null, List.of());
  }

  /** Makes room for the rows in a transaction of the job's own. */
  private void prepare(WriteTransaction own) {
    RowTarget target = RowTarget.insert(table.database(), table.table(), own.id());
    own.prepare(
        replaced.isEverything() ? target.as("overwrite", List.of()) : target, info.schema());
    if (!replaced.conditions().isEmpty()) {
      own.execute(table.deletion(replaced.conditions()));
    }
  }

  @Override
  public boolean useCommitCoordinator() {
    return false;
  }

  @Override
  public void commit(WriterCommitMessage[] messages) {
    publish(messages, null);
  }

  @Override
  public void abort(WriterCommitMessage[] messages) {
    rollback();
  }

  /** An epoch that is committed again, after a failure, is written once. */
  @Override
  public void commit(long epoch, WriterCommitMessage[] messages) {
    publish(messages, info.queryId() + " " + epoch);
  }

  @Override
  public void abort(long epoch, WriterCommitMessage[] messages) {
    rollback();
  }

  private void publish(WriterCommitMessage[] messages, String token) {
    List<String> parts = WrittenParts.all(messages);
    if (staged.isPresent()) {
      staged.get().add(parts);
    } else {
      transaction.commit(parts, token, OptionalLong.empty());
    }
  }

  private void rollback() {
    // What is staged is given up by whoever stages it.
    if (transaction != null && staged.isEmpty()) {
      transaction.rollback();
    }
  }
}
