package magic.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.WriteBuilder;

/** A table that is made, or made anew, and filled, in a transaction: it is seen whole or not at all. */
final class StagedMagicTable implements StagedTable, SupportsWrite {
  private final WritableTable table;
  private final WriteTransaction transaction;
  private final Runnable whenCommitted;
  private final List<String> parts = new ArrayList<>();

  /**
   * @param transaction in which the table is made
   * @param whenCommitted what is left to be done once it is seen
   */
  StagedMagicTable(WritableTable table, WriteTransaction transaction, Runnable whenCommitted) {
    this.table = table;
    this.transaction = transaction;
    this.whenCommitted = whenCommitted;
  }

  /** The transaction in which the table is made. */
  WriteTransaction transaction() {
    return transaction;
  }

  /** Takes note of what was written into the table. */
  void add(List<String> written) {
    parts.addAll(written);
  }

  @Override
  public String name() {
    return table.name();
  }

  @Override
  public Column[] columns() {
    return table.columns();
  }

  @Override
  public Map<String, String> properties() {
    return table.properties();
  }

  @Override
  public Set<TableCapability> capabilities() {
    return table.capabilities();
  }

  @Override
  public WriteBuilder newWriteBuilder(LogicalWriteInfo info) {
    return new MagicWriteBuilder(table, info, Optional.of(this));
  }

  @Override
  public void commitStagedChanges() {
    transaction.commit(parts, null, OptionalLong.empty());
    whenCommitted.run();
  }

  @Override
  public void abortStagedChanges() {
    transaction.rollback();
  }
}
