package magic.spark;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.write.DeltaBatchWrite;
import org.apache.spark.sql.connector.write.DeltaWrite;
import org.apache.spark.sql.connector.write.DeltaWriteBuilder;
import org.apache.spark.sql.connector.write.DeltaWriterFactory;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.PhysicalWriteInfo;
import org.apache.spark.sql.connector.write.RowLevelOperation;
import org.apache.spark.sql.connector.write.SupportsDelta;
import org.apache.spark.sql.connector.write.WriterCommitMessage;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * UPDATE, DELETE or MERGE: changes rows that were read, by their keys. It fails when somebody else has
 * changed the table since the snapshot that it read.
 */
final class RowLevelWrite implements SupportsDelta {
  private final KeyedTable table;
  private final RowLevelOperation.Command command;
  private PinnedSnapshot snapshot;

  RowLevelWrite(KeyedTable table, RowLevelOperation.Command command) {
    this.table = table;
    this.command = command;
  }

  @Override
  public Command command() {
    return command;
  }

  @Override
  public String description() {
    return "Magic " + command + " " + table.name();
  }

  @Override
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) {
    snapshot = table.snapshot();
    return table.newScanBuilder(options);
  }

  @Override
  public NamedReference[] rowId() {
    return table.rowId();
  }

  @Override
  public DeltaWriteBuilder newWriteBuilder(LogicalWriteInfo info) {
    return new DeltaWriteBuilder() {
      @Override
      public DeltaWrite build() {
        return new Delta(info);
      }
    };
  }

  /** The changes of one statement. */
  private final class Delta implements DeltaWrite, DeltaBatchWrite {
    private final LogicalWriteInfo info;
    private WriteTransaction transaction;

    Delta(LogicalWriteInfo info) {
      this.info = info;
    }

    @Override
    public String description() {
      return RowLevelWrite.this.description();
    }

    @Override
    public DeltaBatchWrite toBatch() {
      return this;
    }

    @Override
    public DeltaWriterFactory createBatchWriterFactory(PhysicalWriteInfo physical) {
      ConnectionOptions options = table.options().with(info.options());
      StructType schema = info.schema();
      StructType ids = info.rowIdSchema().orElseThrow();
      List<Integer> key = schema.isEmpty() ? List.of()
          : Stream.of(ids.fieldNames()).map(schema::fieldIndex).toList();
      transaction = WriteTransaction.begin(table.options(), begun -> {
        if (!schema.isEmpty()) {
          begun.prepare(RowTarget.insert(table.database(), table.table(), begun.id()), schema);
        }
        begun.prepare(RowTarget.delete(table.database(), table.table(), begun.id()), ids);
      });
      return new WriteTask(options, transaction.url(), transaction.id(), table.database(),
          table.table(), schema, ids, key);
    }

    @Override
    public boolean useCommitCoordinator() {
      return false;
    }

    @Override
    public void commit(WriterCommitMessage[] messages) {
      OptionalLong since = snapshot == null || snapshot.commit() < 0
          ? OptionalLong.empty() : OptionalLong.of(snapshot.commit());
      transaction.commit(WrittenParts.all(messages), null, since);
    }

    @Override
    public void abort(WriterCommitMessage[] messages) {
      if (transaction != null) {
        transaction.rollback();
      }
    }
  }
}
