package magic.spark;

import java.util.List;
import java.util.Map;
import org.apache.spark.sql.connector.catalog.SupportsRowLevelOperations;
import org.apache.spark.sql.connector.expressions.Expressions;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.write.RowLevelOperationBuilder;
import org.apache.spark.sql.connector.write.RowLevelOperationInfo;

/** A mutable table whose rows have keys, by which UPDATE, DELETE and MERGE change them. */
final class KeyedTable extends WritableTable implements SupportsRowLevelOperations {
  private final List<String> primaryKey;

  KeyedTable(
      String catalog,
      String database,
      String table,
      List<TableColumn> columns,
      List<String> primaryKey,
      Map<String, String> properties,
      ConnectionOptions options,
      QuerySnapshots snapshots) {
    super(catalog, database, table, columns, properties, options, snapshots);
    this.primaryKey = primaryKey;
  }

  /** The columns of the key. */
  List<String> primaryKey() {
    return primaryKey;
  }

  /** What tells a row from others, in Spark's form. */
  NamedReference[] rowId() {
    return primaryKey.stream()
        .map(each -> Expressions.column(TableColumn.escaped(each))).toArray(NamedReference[]::new);
  }

  @Override
  public RowLevelOperationBuilder newRowLevelOperationBuilder(RowLevelOperationInfo info) {
    return () -> new RowLevelWrite(this, info.command());
  }
}
