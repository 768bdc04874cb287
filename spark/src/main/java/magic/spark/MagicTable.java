package magic.spark;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.MetadataColumn;
import org.apache.spark.sql.connector.catalog.SupportsMetadataColumns;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.expressions.SortOrder;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** A table or view of a Magic server, to be read. */
class MagicTable implements SupportsRead, SupportsMetadataColumns {
  /** What can be asked of each row beside its columns: which state it was read from. */
  private static final List<TableColumn> METADATA =
      List.of(
          new TableColumn("_commit_point", "magicCommitPoint()", ColumnType.of("UInt64"),
              "the number of the commit point that is read"),
          new TableColumn("_gtid", "magicGTID()", ColumnType.of("String"),
              "the transactions of the source that it has"));

  private final String catalog;
  private final String database;
  private final String table;
  private final List<TableColumn> columns;
  private final Map<String, String> properties;
  private final ConnectionOptions options;
  private final QuerySnapshots snapshots;
  private final Optional<PinnedSnapshot> snapshot;

  MagicTable(
      String catalog,
      String database,
      String table,
      List<TableColumn> columns,
      Map<String, String> properties,
      ConnectionOptions options,
      QuerySnapshots snapshots,
      Optional<PinnedSnapshot> snapshot) {
    this.catalog = catalog;
    this.database = database;
    this.table = table;
    this.columns = columns;
    this.properties = properties;
    this.options = options;
    this.snapshots = snapshots;
    this.snapshot = snapshot;
  }

  @Override
  public String name() {
    return catalog + "." + database + "." + table;
  }

  /** The name of the database. */
  String database() {
    return database;
  }

  /** The table's name in it. */
  String table() {
    return table;
  }

  /** How the server is reached. */
  ConnectionOptions options() {
    return options;
  }

  /** All columns that can be asked for. */
  List<TableColumn> readableColumns() {
    return Stream.concat(columns.stream(), METADATA.stream()).toList();
  }

  /** The columns that {@code SELECT *} has. */
  List<TableColumn> tableColumns() {
    return columns;
  }

  @Override
  public Column[] columns() {
    return columns.stream().map(TableColumn::column).toArray(Column[]::new);
  }

  @Override
  public MetadataColumn[] metadataColumns() {
    return METADATA.stream().map(Metadata::new).toArray(MetadataColumn[]::new);
  }

  @Override
  public Map<String, String> properties() {
    return properties;
  }

  @Override
  public Set<TableCapability> capabilities() {
    return Set.of(TableCapability.BATCH_READ);
  }

  @Override
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap given) {
    ConnectionOptions chosen = options.with(given);
    return chosen.pushDown()
        ? new PushingScanBuilder(this, chosen) : new MagicScanBuilder(this, chosen);
  }

  /**
   * A scan of the state that it is read at.
   *
   * @param isDivided whether ranges of the table can be read apart from each other
   * @param runtime writes conditions that are found while the query runs; empty for none
   */
  MagicScan scan(StructType schema, ScanStatement statement, ConnectionOptions chosen,
      boolean isDivided, Optional<SqlExpressions> runtime) {
    return new MagicScan(schema, statement, isDivided, chosen, snapshots, snapshot(), runtime);
  }

  /** A scan whose rows come in an order, all in one part. */
  MagicScan scan(StructType schema, ScanStatement statement, ConnectionOptions chosen,
      List<SortOrder> order) {
    return new SortedScan(schema, statement, chosen, snapshots, snapshot(), order);
  }

  /** Into which parts it and the other tables of its snapshot are divided. */
  TableFacts facts() {
    return snapshots.facts(snapshot());
  }

  /** One of the columns. */
  TableColumn column(String name) {
    return columns.stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
  }

  /** The state that it is read at. */
  PinnedSnapshot snapshot() {
    return snapshot.orElseGet(snapshots::ofQuery);
  }

  private record Metadata(TableColumn column) implements MetadataColumn {
    @Override
    public String name() {
      return column.name();
    }

    @Override
    public DataType dataType() {
      return column.type().type();
    }

    @Override
    public boolean isNullable() {
      return false;
    }

    @Override
    public String comment() {
      return column.comment();
    }
  }
}
