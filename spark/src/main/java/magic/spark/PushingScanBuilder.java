package magic.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.SortOrder;
import org.apache.spark.sql.connector.expressions.aggregate.AggregateFunc;
import org.apache.spark.sql.connector.expressions.aggregate.Aggregation;
import org.apache.spark.sql.connector.expressions.aggregate.Avg;
import org.apache.spark.sql.connector.expressions.aggregate.Count;
import org.apache.spark.sql.connector.expressions.aggregate.CountStar;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.SupportsPushDownAggregates;
import org.apache.spark.sql.connector.read.SupportsPushDownLimit;
import org.apache.spark.sql.connector.read.SupportsPushDownOffset;
import org.apache.spark.sql.connector.read.SupportsPushDownTopN;
import org.apache.spark.sql.connector.read.SupportsPushDownV2Filters;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.StructType;

/** Has the server do what it does as Spark would. */
final class PushingScanBuilder extends MagicScanBuilder
    implements SupportsPushDownV2Filters,
        SupportsPushDownAggregates,
        SupportsPushDownTopN,
        SupportsPushDownLimit,
        SupportsPushDownOffset {
  /** How long a statement gets by conditions; the server takes up to a megabyte of most users. */
  private static final int LONGEST_CONDITIONS = 500_000;

  private final SqlExpressions expressions;
  private final List<Predicate> predicates = new ArrayList<>();
  private final List<String> conditions = new ArrayList<>();
  private List<String> order = List.of();
  private OptionalInt limit = OptionalInt.empty();
  private int offset;
  private boolean averagesLong;
  private StructType aggregated;
  private List<String> outputs = List.of();
  private List<String> grouping = List.of();

  PushingScanBuilder(
      MagicTable table,
      List<TableColumn> visible,
      List<TableColumn> all,
      ConnectionOptions options,
      QuerySnapshots snapshots) {
    super(table, visible, all, options, snapshots);
    expressions = new SqlExpressions(all, SQLConf.get().ansiEnabled());
  }

  @Override
  public Predicate[] pushPredicates(Predicate[] offered) {
    List<Predicate> left = new ArrayList<>();
    int length = 0;
    for (Predicate predicate : offered) {
      Optional<String> condition = expressions.condition(predicate);
      if (condition.isPresent() && length + condition.get().length() <= LONGEST_CONDITIONS) {
        length += condition.get().length();
        predicates.add(predicate);
        conditions.add(condition.get());
      } else {
        left.add(predicate);
      }
    }
    return left.toArray(Predicate[]::new);
  }

  @Override
  public Predicate[] pushedPredicates() {
    return predicates.toArray(Predicate[]::new);
  }

  /**
   * Averages of decimals come a second time, as sums and counts. Then a sum of 64-bit integers that
   * stands for an average could overflow, where Spark's average does not.
   */
  @Override
  public boolean supportCompletePushDown(Aggregation aggregation) {
    List<Expression> averaged = Arrays.stream(aggregation.aggregateExpressions())
        .filter(Avg.class::isInstance).map(each -> ((Avg) each).column()).toList();
    averagesLong |= averaged.stream().anyMatch(expressions::isLong);
    return averaged.stream().noneMatch(expressions::isDecimal);
  }

  @Override
  public boolean pushAggregation(Aggregation aggregation) {
    boolean hasAverages =
        Arrays.stream(aggregation.aggregateExpressions()).anyMatch(Avg.class::isInstance);
    if (averagesLong && !hasAverages) {
      return false;
    }
    StructType schema = new StructType();
    List<String> read = new ArrayList<>();
    List<String> keys = new ArrayList<>();
    for (Expression expression : aggregation.groupByExpressions()) {
      Optional<SqlValue> key = expressions.grouping(expression);
      if (key.isEmpty()) {
        return false;
      }
      keys.add(key.get().text());
      read.add(nullable(key.get()));
      schema = schema.add("group_" + keys.size(), key.get().type(), true);
    }
    for (AggregateFunc function : aggregation.aggregateExpressions()) {
      Optional<SqlValue> value = expressions.aggregate(function);
      if (value.isEmpty()) {
        return false;
      }
      boolean isCount = function instanceof Count || function instanceof CountStar;
      read.add(isCount ? value.get().text() : nullable(value.get()));
      schema = schema.add("value_" + read.size(), value.get().type(), !isCount);
    }
    aggregated = schema;
    outputs = read;
    grouping = keys;
    return true;
  }

  @Override
  public boolean pushTopN(SortOrder[] orders, int most) {
    List<String> parts = new ArrayList<>();
    for (SortOrder each : orders) {
      Optional<String> part = expressions.order(each);
      if (part.isEmpty()) {
        return false;
      }
      parts.add(part.get());
    }
    order = parts;
    limit = OptionalInt.of(most);
    return true;
  }

  @Override
  public boolean pushLimit(int most) {
    limit = OptionalInt.of(limit.isPresent() ? Math.min(limit.getAsInt(), most) : most);
    return true;
  }

  /** One statement gives all rows of a limit, in their order. */
  @Override
  public boolean isPartiallyPushed() {
    return false;
  }

  /** Spark pushes a limit first, of rows among which those that are left out are counted. */
  @Override
  public boolean pushOffset(int count) {
    if (limit.isPresent()) {
      limit = OptionalInt.of(Math.max(0, limit.getAsInt() - count));
    }
    offset = count;
    return true;
  }

  @Override
  public Scan build() {
    boolean isAggregated = aggregated != null;
    List<String> read = isAggregated ? outputs : Arrays.stream(schema().fields())
        .map(field -> column(field.name()).read()).toList();
    ScanStatement statement = new ScanStatement(table.database(), table.table(), read, conditions,
        grouping, order, limit, offset);
    boolean isDivided = !isAggregated && limit.isEmpty() && offset == 0;
    return scan(isAggregated ? aggregated : schema(), statement, isDivided,
        isDivided ? Optional.of(expressions) : Optional.empty());
  }

  private static String nullable(SqlValue value) {
    return ColumnType.cast(value.text(), "Nullable(" + ColumnType.target(value.type()) + ")");
  }
}
