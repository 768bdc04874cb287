package magic.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.catalog.Changelog;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.read.SupportsPushDownRequiredColumns;
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * What became of the rows of a table from one snapshot to another: of each key at most one change,
 * however often it was changed in between. An update comes as the row before and the row after.
 */
final class TableChanges implements Changelog {
  /** A task holds the hashes of so many rows, about. */
  private static final long MOST_ROWS = 500_000;

  /** What is told of each change beside the row's columns. */
  static final StructType METADATA = new StructType()
      .add("_change_type", DataTypes.StringType, false)
      .add("_commit_version", DataTypes.LongType, false)
      .add("_commit_timestamp", DataTypes.TimestampType, false);

  private final KeyedTable table;
  private final ConnectionOptions options;
  private final String from;
  private final String to;

  /**
   * @param from the name of the state after which changes count; null for the one in which a stream
   *     begins
   * @param to the name of the state up to which they count; null for the newest
   */
  TableChanges(KeyedTable table, ConnectionOptions options, String from, String to) {
    this.table = table;
    this.options = options;
    this.from = from;
    this.to = to;
  }

  @Override
  public String name() {
    return table.name();
  }

  @Override
  public Column[] columns() {
    return Stream.concat(Arrays.stream(table.columns()),
            Arrays.stream(METADATA.fields())
                .map(field -> Column.create(field.name(), field.dataType(), field.nullable())))
        .toArray(Column[]::new);
  }

  @Override
  public boolean containsCarryoverRows() {
    return false;
  }

  @Override
  public boolean containsIntermediateChanges() {
    return false;
  }

  @Override
  public boolean representsUpdateAsDeleteAndInsert() {
    return false;
  }

  @Override
  public NamedReference[] rowId() {
    return table.rowId();
  }

  @Override
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap ignored) {
    return new Builder();
  }

  /** Reads the columns that are needed. */
  private final class Builder implements SupportsPushDownRequiredColumns {
    private StructType schema = new StructType(
        Stream.concat(table.tableColumns().stream().map(TableColumn::field),
            Arrays.stream(METADATA.fields())).toArray(StructField[]::new));

    @Override
    public void pruneColumns(StructType required) {
      schema = required;
    }

    @Override
    public Scan build() {
      return new ChangeScan(schema);
    }
  }

  /** Reads the changes between two states. */
  private final class ChangeScan implements Scan, Batch {
    private final StructType schema;
    /** The state of the query, up to which changes count that have no other end. */
    private final PinnedSnapshot pinned;

    ChangeScan(StructType schema) {
      this.schema = schema;
      this.pinned = from == null || to != null ? null : table.snapshot();
    }

    @Override
    public StructType readSchema() {
      return schema;
    }

    @Override
    public String description() {
      return "Magic changes of " + table.name();
    }

    @Override
    public ColumnarSupportMode columnarSupportMode() {
      return ColumnarSupportMode.UNSUPPORTED;
    }

    @Override
    public Batch toBatch() {
      return this;
    }

    @Override
    public InputPartition[] planInputPartitions() {
      if (from == null) {
        throw new IllegalArgumentException("The changes of " + table.name() + " need a version to "
            + "begin with, the name of a snapshot: CHANGES FROM VERSION '…', or the option "
            + "startingVersion");
      }
      MagicClient client = MagicClient.of(options);
      return partitions(SnapshotVersion.of(client, from),
          to != null ? SnapshotVersion.of(client, to) : SnapshotVersion.of(pinned), schema);
    }

    @Override
    public PartitionReaderFactory createReaderFactory() {
      return ChangePartition.READERS;
    }

    @Override
    public MicroBatchStream toMicroBatchStream(String checkpoint) {
      return new ChangeStream(TableChanges.this, options, from, schema, checkpoint);
    }
  }

  /** The table. */
  KeyedTable table() {
    return table;
  }

  /** The number of the last commit that changed the table. */
  long lastCommit() {
    return MagicClient.of(options).call("tables", MagicClient.object()
            .put("database", MagicClient.pattern(table.database()))
            .put("table", MagicClient.pattern(table.table())))
        .json().path("tables").path(0).path("lastCommit").asLong(Long.MAX_VALUE);
  }

  /** The parts of the changes from one state to another: ranges of the key. */
  InputPartition[] partitions(SnapshotVersion before, SnapshotVersion after, StructType schema) {
    List<TableColumn> columns = new ArrayList<>();
    for (StructField field : schema.fields()) {
      table.tableColumns().stream().filter(each -> each.name().equals(field.name()))
          .findFirst().ifPresent(columns::add);
    }
    List<String> key = table.tableColumns().stream()
        .filter(each -> table.primaryKey().contains(each.name()))
        .flatMap(TableChanges::hashed).toList();
    List<String> values =
        table.tableColumns().stream().flatMap(TableChanges::hashed).toList();
    return KeyRange.of(table, options, after.url(), after.id(), MOST_ROWS).stream()
        .map(range -> new ChangePartition(options, before, after, schema,
            columns.stream().map(TableColumn::read).toList(), hash(key), hash(values),
            table.database(), table.table(), range.conditions()))
        .toArray(InputPartition[]::new);
  }

  /** A column's value in a form that has no nulls and tells them. */
  private static Stream<String> hashed(TableColumn column) {
    String name = column.expression();
    return column.type().nullable()
        ? Stream.of("isNull(" + name + ")", "ifNull(toString(" + name + "), '')")
        : Stream.of(name);
  }

  private static String hash(List<String> values) {
    return "hex(sipHash128(" + String.join(", ", values) + "))";
  }
}
