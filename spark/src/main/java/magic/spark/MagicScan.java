package magic.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.Expressions;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Statistics;
import org.apache.spark.sql.connector.read.SupportsReportPartitioning;
import org.apache.spark.sql.connector.read.SupportsReportStatistics;
import org.apache.spark.sql.connector.read.SupportsRuntimeV2Filtering;
import org.apache.spark.sql.connector.read.colstats.ColumnStatistics;
import org.apache.spark.sql.connector.read.partitioning.KeyGroupedPartitioning;
import org.apache.spark.sql.connector.read.partitioning.Partitioning;
import org.apache.spark.sql.connector.read.partitioning.UnknownPartitioning;
import org.apache.spark.sql.types.StructType;

/** A scan of one state of a table, by ranges of its key. */
class MagicScan
    implements SupportsReportStatistics,
        SupportsReportPartitioning,
        SupportsRuntimeV2Filtering,
        Batch {
  private static final int LONGEST_CONDITION = 200_000;

  private final StructType schema;
  private final ScanStatement statement;
  private final boolean isDivided;
  private final ConnectionOptions options;
  private final QuerySnapshots snapshots;
  private final PinnedSnapshot snapshot;
  private final TableFacts facts;
  private final Optional<SqlExpressions> runtime;
  private final List<Predicate> found = new ArrayList<>();
  private final List<String> foundConditions = new ArrayList<>();

  /**
   * @param isDivided whether ranges of the table can be read apart from each other
   * @param runtime writes conditions that are found while the query runs; empty for none
   */
  MagicScan(
      StructType schema,
      ScanStatement statement,
      boolean isDivided,
      ConnectionOptions options,
      QuerySnapshots snapshots,
      PinnedSnapshot snapshot,
      Optional<SqlExpressions> runtime) {
    this.schema = schema;
    this.statement = statement;
    this.isDivided = isDivided;
    this.options = options;
    this.snapshots = snapshots;
    this.snapshot = snapshot;
    this.facts = snapshots.facts(snapshot);
    this.runtime = runtime;
  }

  /** What it reads. */
  ScanStatement statement() {
    return statement;
  }

  /** Whether tasks read parts of it. */
  boolean isDivided() {
    return isDivided;
  }

  /** How it is read. */
  ConnectionOptions options() {
    return options;
  }

  @Override
  public StructType readSchema() {
    return schema;
  }

  /** What EXPLAIN shows: the statement, but for its ranges. */
  @Override
  public String description() {
    return "Magic " + snapshot.url() + " " + statement.sql();
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
    return new Estimate(rows(), schema, statement, key());
  }

  /** The column that tells rows of the table apart by itself, if it is read; null for none. */
  private String key() {
    return firstOfKey()
        .filter(column -> ((KeyedTable) table()).primaryKey().size() == 1)
        .map(TableColumn::name).orElse(null);
  }

  /** The first column of the key of a table that is read in parts, if it is read as itself. */
  private Optional<TableColumn> firstOfKey() {
    if (!isDivided || !(table() instanceof KeyedTable table)) {
      return Optional.empty();
    }
    TableColumn column = table.column(table.primaryKey().get(0));
    int place = List.of(schema.fieldNames()).indexOf(column.name());
    return place >= 0 && statement.outputs().get(place).equals(column.read())
        ? Optional.of(column) : Optional.empty();
  }

  /** The columns of which Spark may find out, from the other side of a join, what is wanted. */
  @Override
  public NamedReference[] filterAttributes() {
    return runtime.isEmpty() ? new NamedReference[0]
        : Arrays.stream(schema.fieldNames())
            .map(name -> Expressions.column(TableColumn.escaped(name)))
            .toArray(NamedReference[]::new);
  }

  /** Rows that fail one of these are of no use for the join, which looks at those that come. */
  @Override
  public void filter(Predicate[] predicates) {
    for (Predicate predicate : predicates) {
      runtime.flatMap(each -> each.condition(predicate))
          .filter(condition -> condition.length() <= LONGEST_CONDITION)
          .ifPresent(condition -> {
            found.add(predicate);
            foundConditions.add(condition);
          });
    }
  }

  @Override
  public Predicate[] pushedPredicates() {
    return found.toArray(Predicate[]::new);
  }

  @Override
  public InputPartition[] planInputPartitions() {
    snapshots.begin(snapshot);
    ScanStatement filtered = statement.where(foundConditions);
    List<KeyRange> ranges = ranges();
    return IntStream.range(0, ranges.size())
        .mapToObj(index -> new MagicPartition(snapshot, filtered.sql(ranges.get(index)), index))
        .toArray(InputPartition[]::new);
  }

  /** That all rows of a value of the key's first column are in one part, where that column is read. */
  @Override
  public Partitioning outputPartitioning() {
    int count = ranges().size();
    return firstOfKey().<Partitioning>flatMap(column ->
            facts.bounded(table(), options).map(bounded ->
                new KeyGroupedPartitioning(new Expression[] {
                    Expressions.apply(RangeFunction.name(bounded.bounds()),
                        Expressions.column(TableColumn.escaped(column.name())))}, count)))
        .orElseGet(() -> new UnknownPartitioning(count));
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

  /** About how many rows the largest of the tables has, which many joins have, too. */
  private long rows() {
    return statement.source().tables().stream()
        .mapToLong(table -> facts.rowCount(table, options)).max().orElse(0);
  }

  /** The ranges that tasks read, the same whenever it is asked. */
  private List<KeyRange> ranges() {
    return isDivided ? facts.parts(table(), options) : List.of(everything());
  }

  /** The table that is read, or the first one. */
  private MagicTable table() {
    return statement.source().tables().get(0);
  }

  private static KeyRange everything() {
    return new KeyRange(List.of(), List.of(), List.of(), 0);
  }

  /**
   * What the optimizer is told: the most that there can be, since nobody knows how many rows pass a
   * filter before it is run, and nothing of views, whose rows nobody has counted. A key has as many
   * values as there are rows.
   */
  private record Estimate(long total, StructType schema, ScanStatement statement, String key)
      implements Statistics {
    private static final int ROW_OVERHEAD = 8;

    @Override
    public OptionalLong numRows() {
      if (statement.isAggregate() && statement.grouping().isEmpty()) {
        return OptionalLong.of(1);
      }
      if (total == 0) {
        return OptionalLong.empty();
      }
      return OptionalLong.of(statement.limit().isPresent()
          ? Math.min(total, statement.limit().getAsInt()) : total);
    }

    @Override
    public Map<NamedReference, ColumnStatistics> columnStats() {
      OptionalLong rows = numRows();
      if (key == null || rows.isEmpty()) {
        return Map.of();
      }
      return Map.of(Expressions.column(TableColumn.escaped(key)), new ColumnStatistics() {
        @Override
        public OptionalLong distinctCount() {
          return rows;
        }
      });
    }

    @Override
    public OptionalLong sizeInBytes() {
      OptionalLong rows = numRows();
      return rows.isEmpty() ? OptionalLong.empty()
          : OptionalLong.of(rows.getAsLong() * (ROW_OVERHEAD + schema.defaultSize()));
    }
  }
}
