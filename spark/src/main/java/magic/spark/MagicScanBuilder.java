package magic.spark;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.SupportsPushDownRequiredColumns;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Reads the columns that are needed, and leaves all the rest to Spark. */
class MagicScanBuilder implements SupportsPushDownRequiredColumns {
  final MagicTable table;
  final ConnectionOptions options;
  private RowSource source;
  private final Map<String, TableColumn> columns = new HashMap<>();
  private StructType schema;

  MagicScanBuilder(MagicTable table, ConnectionOptions options) {
    this.table = table;
    this.source = new RowSource.Table(table);
    this.options = options;
    table.readableColumns().forEach(each -> columns.putIfAbsent(each.name(), each));
    this.schema = new StructType(
        table.tableColumns().stream().map(TableColumn::field).toArray(StructField[]::new));
  }

  @Override
  public void pruneColumns(StructType required) {
    schema = new StructType(Arrays.stream(required.fields())
        .map(field -> columns.get(field.name()).field())
        .toArray(StructField[]::new));
  }

  @Override
  public Scan build() {
    List<String> outputs = Arrays.stream(schema.fields())
        .map(field -> columns.get(field.name()).read()).toList();
    return table.scan(
        schema, ScanStatement.of(source).reading(outputs), options, true, Optional.empty());
  }

  /** Where the rows are from. */
  final RowSource source() {
    return source;
  }

  /** Takes the rows from elsewhere from now on. */
  final void read(RowSource other, List<TableColumn> outputs) {
    source = other;
    columns.clear();
    outputs.forEach(each -> columns.put(each.name(), each));
    schema = new StructType(outputs.stream().map(TableColumn::field).toArray(StructField[]::new));
  }

  /** The columns that are needed. */
  final StructType schema() {
    return schema;
  }

  /** What the server computes for a column. */
  final TableColumn column(String name) {
    return columns.get(name);
  }
}
