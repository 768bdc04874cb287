package magic.spark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Statistics;
import org.apache.spark.sql.connector.read.SupportsReportStatistics;
import org.apache.spark.sql.types.StructType;

/** A scan of one state of a table, by ranges of its key. */
final class MagicScan implements SupportsReportStatistics, Batch {
  private final MagicTable table;
  private final StructType schema;
  private final ScanStatement statement;
  private final boolean isDivided;
  private final ConnectionOptions options;
  private final QuerySnapshots snapshots;
  private final PinnedSnapshot snapshot;
  private List<KeyRange> ranges;

  MagicScan(
      MagicTable table,
      StructType schema,
      ScanStatement statement,
      boolean isDivided,
      ConnectionOptions options,
      QuerySnapshots snapshots,
      PinnedSnapshot snapshot) {
    this.table = table;
    this.schema = schema;
    this.statement = statement;
    this.isDivided = isDivided;
    this.options = options;
    this.snapshots = snapshots;
    this.snapshot = snapshot;
  }

  @Override
  public StructType readSchema() {
    return schema;
  }

  /** What EXPLAIN shows: the statement, but for its ranges. */
  @Override
  public String description() {
    return "Magic " + snapshot.url() + " " + statement.sql(everything());
  }

  @Override
  public Batch toBatch() {
    return this;
  }

  @Override
  public ColumnarSupportMode columnarSupportMode() {
    return ColumnarSupportMode.SUPPORTED;
  }

  @Override
  public Statistics estimateStatistics() {
    long total = ranges().stream().mapToLong(KeyRange::rowCount).sum();
    return new Estimate(total, schema, statement);
  }

  @Override
  public InputPartition[] planInputPartitions() {
    snapshots.begin(snapshot);
    List<KeyRange> parts = isDivided
        ? KeyRange.joined(ranges(), options.splitRows()) : List.of(everything());
    return parts.stream()
        .map(range -> new MagicPartition(snapshot, statement.sql(range)))
        .toArray(InputPartition[]::new);
  }

  @Override
  public PartitionReaderFactory createReaderFactory() {
    return new MagicReaderFactory(options, schema);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof MagicScan scan && scan.snapshot.equals(snapshot)
        && scan.statement.equals(statement) && scan.schema.equals(schema)
        && scan.options.equals(options);
  }

  @Override
  public int hashCode() {
    return 31 * snapshot.hashCode() + statement.hashCode();
  }

  private synchronized List<KeyRange> ranges() {
    if (ranges == null) {
      int count = options.splits() > 0
          ? options.splits() : SparkSession.active().sparkContext().defaultParallelism();
      ObjectNode request = MagicClient.object().put("count", count).put("snapshot", snapshot.id());
      request.putObject("table").put("database", table.database()).put("table", table.table());
      List<KeyRange> given = new ArrayList<>();
      MagicClient.of(options).call(snapshot.url(), "split", request).path("ranges")
          .forEach(range -> given.add(KeyRange.of(range)));
      ranges = given;
    }
    return ranges;
  }

  private static KeyRange everything() {
    return new KeyRange(List.of(), List.of(), List.of(), 0);
  }

  /**
   * What the optimizer is told: the most that there can be, since nobody knows how many rows pass a
   * filter before it is run, and nothing of views, whose rows nobody has counted.
   */
  private record Estimate(long total, StructType schema, ScanStatement statement)
      implements Statistics {
    private static final int ROW_OVERHEAD = 8;

    @Override
    public OptionalLong numRows() {
      boolean isOneRow = statement.grouping().isEmpty() && !statement.outputs().isEmpty()
          && schema.fieldNames()[0].startsWith("value_");
      if (isOneRow) {
        return OptionalLong.of(1);
      }
      if (total == 0) {
        return OptionalLong.empty();
      }
      return OptionalLong.of(statement.limit().isPresent()
          ? Math.min(total, statement.limit().getAsInt()) : total);
    }

    @Override
    public OptionalLong sizeInBytes() {
      OptionalLong rows = numRows();
      return rows.isEmpty() ? OptionalLong.empty()
          : OptionalLong.of(rows.getAsLong() * (ROW_OVERHEAD + schema.defaultSize()));
    }
  }
}
