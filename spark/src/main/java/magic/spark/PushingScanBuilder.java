package magic.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.GeneralScalarExpression;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.expressions.SortOrder;
import org.apache.spark.sql.connector.expressions.aggregate.AggregateFunc;
import org.apache.spark.sql.connector.expressions.aggregate.Aggregation;
import org.apache.spark.sql.connector.expressions.aggregate.Count;
import org.apache.spark.sql.connector.expressions.aggregate.CountStar;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.connector.join.JoinType;
import org.apache.spark.sql.connector.read.SampleMethod;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.SupportsPushDownAggregates;
import org.apache.spark.sql.connector.read.SupportsPushDownJoin;
import org.apache.spark.sql.connector.read.SupportsPushDownLimit;
import org.apache.spark.sql.connector.read.SupportsPushDownOffset;
import org.apache.spark.sql.connector.read.SupportsPushDownTableSample;
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
        SupportsPushDownOffset,
        SupportsPushDownTableSample,
        SupportsPushDownJoin {
  private SqlExpressions expressions;
  private final List<Predicate> predicates = new ArrayList<>();
  private final List<String> conditions = new ArrayList<>();
  private List<String> order = List.of();
  private List<SortOrder> sorted = List.of();
  private OptionalInt limit = OptionalInt.empty();
  private int offset;
  private StructType aggregated;
  private List<String> outputs = List.of();
  private List<String> grouping = List.of();

  PushingScanBuilder(MagicTable table, ConnectionOptions options) {
    super(table, options);
    expressions = new SqlExpressions(table.readableColumns(), SQLConf.get().ansiEnabled());
  }

  @Override
  public Predicate[] pushPredicates(Predicate[] offered) {
    List<Predicate> left = new ArrayList<>();
    for (Predicate predicate : offered) {
      Optional<String> condition = expressions.condition(predicate);
      if (condition.isPresent() && ScanStatement.areShort(
          Stream.concat(conditions.stream(), condition.stream()).toList())) {
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

  /** One statement gives all rows of a group. */
  @Override
  public boolean supportCompletePushDown(Aggregation aggregation) {
    return true;
  }

  @Override
  public boolean pushAggregation(Aggregation aggregation) {
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
      schema = schema.add("group_" + keys.size(), key.get().type(), canBeNull(expression));
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

  /** Which rows are in the sample their keys decide, so that a task that is tried again finds the same. */
  @Override
  public boolean pushTableSample(
      double lower, double upper, boolean withReplacement, long seed, SampleMethod method) {
    if (withReplacement || method != SampleMethod.BERNOULLI || !(table instanceof KeyedTable keyed)) {
      return false;
    }
    // The hash of a NULL is NULL.
    if (keyed.primaryKey().stream().anyMatch(each -> column(each).type().nullable())) {
      return false;
    }
    List<String> arguments = new ArrayList<>(List.of("toInt64(" + seed + ")"));
    keyed.primaryKey().forEach(each -> arguments.add(TableColumn.quoted(each)));
    String place = "sipHash64(" + String.join(", ", arguments) + ") / 18446744073709551616.";
    conditions.add(place + " >= " + lower + " AND " + place + " < " + upper);
    return true;
  }

  @Override
  public boolean isOtherSideCompatibleForJoin(SupportsPushDownJoin other) {
    return other instanceof PushingScanBuilder right && right.options.equals(options)
        && right.table.snapshot().equals(table.snapshot());
  }

  @Override
  public boolean pushDownJoin(SupportsPushDownJoin other, JoinType type,
      ColumnWithAlias[] leftColumns, ColumnWithAlias[] rightColumns, Predicate condition) {
    PushingScanBuilder right = (PushingScanBuilder) other;
    try {
      Query first = side(leftColumns, 0, type == JoinType.RIGHT_OUTER_JOIN);
      Query second = right.side(rightColumns, 1, type == JoinType.LEFT_OUTER_JOIN);
      Untranslatable.require(equates(condition, first.columns(), second.columns()));
      List<TableColumn> all = Stream.concat(
          first.columns().values().stream(), second.columns().values().stream()).toList();
      SqlExpressions joining = new SqlExpressions(all, SQLConf.get().ansiEnabled());
      String text = joining.condition(condition).orElseThrow(Untranslatable::new);
      boolean isReversed = type == JoinType.RIGHT_OUTER_JOIN;
      read(new RowSource.Join(
          (isReversed ? second : first).rows().source(),
          (RowSource.Nested) (isReversed ? first : second).rows().source(),
          type == JoinType.INNER_JOIN ? "INNER" : "LEFT", text), all);
      expressions = joining;
      predicates.clear();
      conditions.clear();
      return true;
    } catch (Untranslatable reason) {
      return false;
    }
  }

  /**
   * The rows of one side of a join, by the names that Spark has for its columns then.
   *
   * @param isOuter whether there can be no row
   */
  private Query side(ColumnWithAlias[] read, int number, boolean isOuter) throws Untranslatable {
    Map<String, TableColumn> named = new LinkedHashMap<>();
    for (ColumnWithAlias each : read) {
      TableColumn column = column(each.colName());
      Untranslatable.require(column != null);
      String name = each.alias() == null ? each.colName() : each.alias();
      named.put(name, new TableColumn(name, column.expression(), column.type(), ""));
    }
    return Query.of(table, options, source(), named).where(conditions).nested(number, isOuter);
  }

  /** Whether a condition has two columns equal, one of each side, so that rows are found by them. */
  private static boolean equates(
      Predicate condition, Map<String, TableColumn> left, Map<String, TableColumn> right) {
    if (condition.name().equals("AND")) {
      return Arrays.stream(condition.children())
          .anyMatch(each -> each instanceof Predicate part && equates(part, left, right));
    }
    return condition.name().equals("=")
        && (names(condition.children()[0], left) && names(condition.children()[1], right)
            || names(condition.children()[0], right) && names(condition.children()[1], left));
  }

  private static boolean names(Expression expression, Map<String, TableColumn> columns) {
    return expression.references().length > 0
        && Arrays.stream(expression.references()).allMatch(reference ->
            reference.fieldNames().length == 1 && columns.containsKey(reference.fieldNames()[0]));
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
    sorted = List.of(orders);
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
    ScanStatement statement =
        new ScanStatement(
            source(), read, conditions, isAggregated, grouping, order, limit, offset);
    // The engine joins with all of its cores; each part of a join would join anew.
    boolean isDivided = !isAggregated && limit.isEmpty() && offset == 0
        && source() instanceof RowSource.Table;
    if (!isAggregated && !sorted.isEmpty() && source() instanceof RowSource.Table) {
      return table.scan(
          schema(), statement, options, sorted.stream().takeWhile(this::isRead).toList());
    }
    return table.scan(isAggregated ? aggregated : schema(), statement, options, isDivided,
        isDivided ? Optional.of(expressions) : Optional.empty());
  }

  /** Whether an order is by a column that is read. Spark takes no other expressions. */
  private boolean isRead(SortOrder each) {
    return each.expression() instanceof NamedReference reference
        && reference.fieldNames().length == 1
        && List.of(schema().fieldNames()).contains(reference.fieldNames()[0]);
  }

  /** Whether an expression can be NULL: Spark does not bear that one can that could not before. */
  private boolean canBeNull(Expression expression) {
    if (expression instanceof GeneralScalarExpression scalar && scalar.name().equals("CASE_WHEN")) {
      return true;
    }
    return expression instanceof NamedReference reference
        ? column(reference.fieldNames()[0]).type().nullable()
        : Arrays.stream(expression.children()).anyMatch(this::canBeNull);
  }

  private static String nullable(SqlValue value) {
    return ColumnType.cast(value.text(), "Nullable(" + ColumnType.target(value.type()) + ")");
  }
}
