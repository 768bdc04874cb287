package magic.spark;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.SupportsDeleteV2;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.WriteBuilder;
import org.apache.spark.sql.internal.SQLConf;

/** A mutable table: rows can be added, replaced and, where a condition tells which, deleted. */
class WritableTable extends MagicTable implements SupportsWrite, SupportsDeleteV2 {
  WritableTable(
      String catalog,
      String database,
      String table,
      List<TableColumn> columns,
      Map<String, String> properties,
      ConnectionOptions options,
      QuerySnapshots snapshots) {
    super(catalog, database, table, columns, properties, options, snapshots, Optional.empty());
  }

  @Override
  public Set<TableCapability> capabilities() {
    return EnumSet.of(
        TableCapability.BATCH_READ, TableCapability.BATCH_WRITE, TableCapability.STREAMING_WRITE,
        TableCapability.TRUNCATE, TableCapability.OVERWRITE_BY_FILTER);
  }

  @Override
  public WriteBuilder newWriteBuilder(LogicalWriteInfo info) {
    return new MagicWriteBuilder(this, info, Optional.empty());
  }

  @Override
  public boolean canDeleteWhere(Predicate[] predicates) {
    return conditions(predicates).isPresent();
  }

  /** Deletes rows of the newest state, in one step. */
  @Override
  public void deleteWhere(Predicate[] predicates) {
    List<String> conditions = conditions(predicates).orElseThrow();
    if (conditions.isEmpty()) {
      truncateTable();
    } else {
      execute(deletion(conditions));
    }
  }

  @Override
  public boolean truncateTable() {
    execute("TRUNCATE TABLE " + TableStatements.name(database(), table()));
    return true;
  }

  /**
   * Predicates in the server's SQL, where it finds the same rows by them as Spark; those that hold for
   * every row are left out.
   */
  Optional<List<String>> conditions(Predicate[] predicates) {
    SqlExpressions expressions = new SqlExpressions(tableColumns(), SQLConf.get().ansiEnabled());
    List<String> conditions = new ArrayList<>();
    for (Predicate predicate : predicates) {
      if (predicate.name().equals("ALWAYS_TRUE")) {
        continue;
      }
      Optional<String> condition = expressions.condition(predicate);
      if (condition.isEmpty()) {
        return Optional.empty();
      }
      conditions.add(condition.get());
    }
    return Optional.of(conditions);
  }

  /** The statement that deletes the rows for which all conditions hold. */
  String deletion(List<String> conditions) {
    return "DELETE FROM " + TableStatements.name(database(), table()) + " WHERE "
         + String.join(" AND ", conditions);
  }

  private void execute(String sql) {
    MagicClient client = MagicClient.of(options());
    client.execute(client.url(), sql, null);
  }
}
