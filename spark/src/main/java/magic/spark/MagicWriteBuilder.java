package magic.spark;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.SupportsOverwriteV2;
import org.apache.spark.sql.connector.write.Write;
import org.apache.spark.sql.connector.write.WriteBuilder;
import org.apache.spark.sql.internal.connector.SupportsStreamingUpdateAsAppend;

/**
 * Adds rows to a table, or puts them in the place of others. A row takes the place of that of its key,
 * so the rows that a streaming query updates are added like new ones.
 */
final class MagicWriteBuilder implements SupportsOverwriteV2, SupportsStreamingUpdateAsAppend {
  private final WritableTable table;
  private final LogicalWriteInfo info;
  private final Optional<StagedMagicTable> staged;
  private Replaced replaced = Replaced.NOTHING;

  /**
   * @param staged the table's declaration that is published with the rows; empty when it is there
   */
  MagicWriteBuilder(WritableTable table, LogicalWriteInfo info, Optional<StagedMagicTable> staged) {
    this.table = table;
    this.info = info;
    this.staged = staged;
  }

  @Override
  public boolean canOverwrite(Predicate[] predicates) {
    return table.conditions(predicates).isPresent();
  }

  @Override
  public WriteBuilder overwrite(Predicate[] predicates) {
    replaced = Replaced.where(table.conditions(predicates).orElseThrow());
    return this;
  }

  @Override
  public WriteBuilder truncate() {
    replaced = Replaced.EVERYTHING;
    return this;
  }

  @Override
  public Write build() {
    return new MagicWrite(table, info, replaced, staged);
  }

  /**
   * The rows that make room for those that are written.
   *
   * @param isEverything whether it is all rows
   * @param conditions of rows that go, otherwise; empty for none
   */
  record Replaced(boolean isEverything, List<String> conditions) {
    static final Replaced NOTHING = new Replaced(false, List.of());
    static final Replaced EVERYTHING = new Replaced(true, List.of());

    static Replaced where(List<String> conditions) {
      return conditions.isEmpty() ? EVERYTHING : new Replaced(false, conditions);
    }
  }
}
