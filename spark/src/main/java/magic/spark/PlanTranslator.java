package magic.spark;

import static magic.spark.Untranslatable.require;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Divide;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.EqualTo;
import org.apache.spark.sql.catalyst.expressions.EvalMode;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Multiply;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NumericEvalContext;
import org.apache.spark.sql.catalyst.expressions.ScalarSubquery;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateFunction;
import org.apache.spark.sql.catalyst.expressions.aggregate.Average;
import org.apache.spark.sql.catalyst.expressions.aggregate.Complete$;
import org.apache.spark.sql.catalyst.expressions.aggregate.Count;
import org.apache.spark.sql.catalyst.expressions.aggregate.Sum;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.LeftAnti$;
import org.apache.spark.sql.catalyst.plans.LeftOuter$;
import org.apache.spark.sql.catalyst.plans.LeftSemi$;
import org.apache.spark.sql.catalyst.plans.RightOuter$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2ScanRelation;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructType;
import scala.PartialFunction;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Writes parts of an optimized plan as statements of the server: tables and views of one catalog at
 * one snapshot, and on them conditions, columns, joins, groups, an order and a limit.
 */
final class PlanTranslator {
  /** An expression that is used where a column was is written out there; not longer ones. */
  private static final int LONGEST_INLINE = 2000;

  /** How Spark computes where an overflow is no error. */
  static final NumericEvalContext LEGACY = NumericEvalContext.apply(EvalMode.LEGACY(), true);

  private final Map<LogicalPlan, Optional<Query>> known = new IdentityHashMap<>();
  private int nested;

  /** The statement for a part of a plan; empty when it stays with Spark, wholly or not. */
  Optional<Query> query(LogicalPlan plan) {
    Optional<Query> query = known.get(plan);
    if (query == null) {
      try {
        query = Optional.of(translated(plan));
      } catch (Untranslatable reason) {
        query = Optional.empty();
      }
      known.put(plan, query);
    }
    return query;
  }

  /** Whether rows can be found by these conditions at the server. */
  boolean canFilter(LogicalPlan child, List<Expression> conditions) {
    try {
      filtered(required(child), conditions);
      return true;
    } catch (Untranslatable reason) {
      return false;
    }
  }

  private Query required(LogicalPlan plan) throws Untranslatable {
    return query(plan).orElseThrow(Untranslatable::new);
  }

  private Query translated(LogicalPlan plan) throws Untranslatable {
    if (plan instanceof DataSourceV2Relation relation) {
      return table(relation);
    }
    if (plan instanceof DataSourceV2ScanRelation relation) {
      return scan(relation);
    }
    if (plan instanceof Filter filter) {
      return filtered(required(filter.child()), conjuncts(filter.condition()));
    }
    if (plan instanceof Project project) {
      return projected(required(project.child()), list(project.projectList()));
    }
    if (plan instanceof Join join) {
      return joined(join);
    }
    if (plan instanceof Aggregate aggregate) {
      return aggregated(aggregate);
    }
    if (plan instanceof Sort sort && sort.global()) {
      return sorted(required(sort.child()), list(sort.order()));
    }
    if (plan instanceof GlobalLimit limit && limit.child() instanceof LocalLimit local
        && limit.limitExpr() instanceof Literal most && most.value() instanceof Integer rows
        && local.limitExpr().equals(most)) {
      return required(local.child()).limitedTo(rows);
    }
    throw new Untranslatable();
  }

  private static Query table(DataSourceV2Relation relation) throws Untranslatable {
    require(relation.table() instanceof MagicTable);
    MagicTable table = (MagicTable) relation.table();
    ConnectionOptions options = table.options().with(relation.options());
    require(options.pushDown() && options.pushQueries());
    Map<String, TableColumn> declared = new LinkedHashMap<>();
    table.readableColumns().forEach(each -> declared.putIfAbsent(each.name(), each));
    Map<String, TableColumn> columns = new LinkedHashMap<>();
    for (AttributeReference each : list(relation.output())) {
      TableColumn column = declared.get(each.name());
      require(column != null);
      columns.put(PlanExpressions.name(each.exprId()), column);
    }
    return Query.of(table, options, new RowSource.Table(table), columns);
  }

  /** What Spark has pushed down before, in a subquery. */
  private Query scan(DataSourceV2ScanRelation relation) throws Untranslatable {
    require(relation.scan() instanceof MagicScan && relation.relation().table() instanceof MagicTable);
    MagicScan scan = (MagicScan) relation.scan();
    require(scan.options().pushDown() && scan.options().pushQueries());
    StructType schema = scan.readSchema();
    List<AttributeReference> output = list(relation.output());
    require(output.size() == schema.size());
    List<String> names = Query.names(scan.statement().source(), nested++, output.size());
    Map<String, TableColumn> columns = new LinkedHashMap<>();
    for (AttributeReference each : output) {
      columns.put(PlanExpressions.name(each.exprId()), new TableColumn(
          each.name(), names.get(columns.size()), ColumnType.asRead(each.dataType()), ""));
    }
    return Query.of((MagicTable) relation.relation().table(), scan.options(),
        new RowSource.Nested(scan.statement(), names), columns);
  }

  private Query filtered(Query query, List<Expression> conditions) throws Untranslatable {
    // The order of groups would be lost in a statement around them.
    require(query.isPlain() || query.rows().order().isEmpty() || query.rows().limit().isPresent());
    Query plain = query.isPlain() ? query : query.nested(nested++, false);
    PlanExpressions expressions = expressions(plain);
    Query result = plain.where(expressions.conditions(conditions)).with(expressions);
    require(ScanStatement.areShort(result.rows().conditions()));
    return result;
  }

  private Query projected(Query query, List<NamedExpression> outputs) throws Untranslatable {
    PlanExpressions expressions = expressions(query);
    Map<String, TableColumn> columns = new LinkedHashMap<>();
    for (NamedExpression output : outputs) {
      columns.put(PlanExpressions.name(output.exprId()), column(output, query, expressions));
    }
    boolean isLong = columns.values().stream()
        .anyMatch(each -> each.expression().length() > LONGEST_INLINE);
    Query result = query.giving(columns).with(expressions);
    return isLong && query.rows().order().isEmpty() ? result.nested(nested++, false) : result;
  }

  private static TableColumn column(NamedExpression output, Query query,
      PlanExpressions expressions) throws Untranslatable {
    Expression expression = expression(output);
    if (expression instanceof Attribute attribute) {
      TableColumn column = query.columns().get(PlanExpressions.name(attribute.exprId()));
      require(column != null);
      return column;
    }
    return computed(output.name(), expressions.value(expression));
  }

  /** What an output is, without the name that it is given. */
  static Expression expression(NamedExpression output) {
    return output instanceof Alias alias ? alias.child() : (Expression) output;
  }

  private static TableColumn computed(String name, SqlValue value) {
    return new TableColumn(name, value.text(), ColumnType.computed(value.type()), "");
  }

  private Query joined(Join join) throws Untranslatable {
    require(join.condition().isDefined());
    boolean isReversed = join.joinType() == RightOuter$.MODULE$;
    boolean isOuter = isReversed || join.joinType() == LeftOuter$.MODULE$;
    boolean isInner = join.joinType() == Inner$.MODULE$;
    Query left = required(isReversed ? join.right() : join.left());
    Query right = required(isReversed ? join.left() : join.right());
    if (isInner && right.isPlain() && right.rows().source() instanceof RowSource.Join
        && !(left.rows().source() instanceof RowSource.Join)) {
      Query other = left;
      left = right;
      right = other;
    }
    require(left.isReadWith(right));
    boolean goesOn = left.isPlain() && left.rows().source() instanceof RowSource.Join;
    Query first = goesOn ? left.orderedBy(List.of()) : left.nested(nested++, false);
    Query second = right.nested(nested++, isOuter);
    Map<String, TableColumn> both = new LinkedHashMap<>(first.columns());
    both.putAll(second.columns());
    List<Expression> conditions = conjuncts(join.condition().get());
    require(conditions.stream().anyMatch(each -> equates(each, first, second)));
    PlanExpressions expressions = new PlanExpressions(both, each -> value(each, first));
    String type;
    if (isInner) {
      type = "INNER";
    } else if (isOuter) {
      type = "LEFT";
    } else if (join.joinType() == LeftSemi$.MODULE$) {
      type = "LEFT SEMI";
    } else {
      require(join.joinType() == LeftAnti$.MODULE$);
      type = "LEFT ANTI";
    }
    RowSource source = new RowSource.Join(first.rows().source(),
        (RowSource.Nested) second.rows().source(), type,
        String.join(" AND ", expressions.conditions(conditions)));
    return Query.of(first.first(), first.options(), source,
        isInner || isOuter ? both : first.columns()).where(first.rows().conditions());
  }

  /** Whether a condition has one side's value equal to the other's, so that rows are found by it. */
  private static boolean equates(Expression condition, Query left, Query right) {
    if (!(condition instanceof EqualTo || condition instanceof EqualNullSafe)) {
      return false;
    }
    List<Expression> sides = list(condition.children());
    return names(sides.get(0), left) && names(sides.get(1), right)
        || names(sides.get(0), right) && names(sides.get(1), left);
  }

  private static boolean names(Expression expression, Query query) {
    List<Attribute> references = CollectionConverters.asJava(expression.references().toSeq());
    return !references.isEmpty() && references.stream()
        .allMatch(each -> query.columns().containsKey(PlanExpressions.name(each.exprId())));
  }

  /** Groups and their aggregates first, then what is made of them. */
  private Query aggregated(Aggregate aggregate) throws Untranslatable {
    LogicalPlan plan = divided(aggregate);
    if (plan instanceof Project project) {
      return projected(required(project.child()), list(project.projectList()));
    }
    Query child = required(aggregate.child());
    Query plain = child.isPlain() ? child.orderedBy(List.of()) : child.nested(nested++, false);
    PlanExpressions expressions = expressions(plain);
    List<String> keys = new ArrayList<>();
    for (Expression key : list(aggregate.groupingExpressions())) {
      keys.add(expressions.grouping(key).text());
    }
    Map<String, TableColumn> columns = new LinkedHashMap<>();
    for (NamedExpression output : list(aggregate.aggregateExpressions())) {
      Expression expression = expression(output);
      SqlValue value = expression instanceof AggregateExpression function
          ? function(function, expressions) : expressions.grouping(expression);
      columns.put(PlanExpressions.name(output.exprId()), computed(output.name(), value));
    }
    return plain.groupedBy(keys, columns);
  }

  private static SqlValue function(AggregateExpression function, PlanExpressions expressions)
      throws Untranslatable {
    require(function.mode() == Complete$.MODULE$ && function.filter().isEmpty());
    return expressions.aggregate(function);
  }

  /**
   * An aggregate that gives groups and aggregates only, under a projection of what it was to give;
   * the aggregate itself when it gives nothing else.
   */
  static LogicalPlan divided(Aggregate aggregate) {
    List<Expression> keys = list(aggregate.groupingExpressions());
    List<NamedExpression> outputs = list(aggregate.aggregateExpressions());
    boolean isSimple = outputs.stream().allMatch(output -> {
      Expression expression = expression(output);
      return expression instanceof AggregateExpression function && !isFloatingAverage(function)
          || keys.stream().anyMatch(key -> key.semanticEquals(expression));
    });
    if (isSimple) {
      return aggregate;
    }
    List<NamedExpression> simple = new ArrayList<>();
    List<Expression> parts = new ArrayList<>();
    List<NamedExpression> above = new ArrayList<>();
    for (NamedExpression output : outputs) {
      above.add((NamedExpression) ((Expression) output).transformDown(
          PartialFunction.fromFunction(each -> {
            if (each instanceof AggregateExpression function && isFloatingAverage(function)) {
              return floatingAverage(function, parts, simple);
            }
            boolean isPart = each instanceof AggregateExpression
                || keys.stream().anyMatch(key -> key.semanticEquals(each));
            return isPart ? part(each, parts, simple) : each;
          })));
    }
    return new Project(sequence(above), new Aggregate(aggregate.groupingExpressions(),
        sequence(simple), aggregate.child(), aggregate.hint()));
  }

  /** Whether one of the aggregates gives NULL where it overflows. */
  static boolean hasTry(Aggregate aggregate) {
    return aggregate.aggregateExpressions().exists(output -> ((Expression) output).exists(each ->
        each instanceof AggregateExpression function
            && PlanExpressions.mode(function) == EvalMode.TRY()));
  }

  /** Whether this is an average of decimals of so few digits that Spark computes it with floats. */
  private static boolean isFloatingAverage(AggregateExpression expression) {
    return expression.aggregateFunction() instanceof Average average
        && average.evalMode() != EvalMode.TRY() && !expression.isDistinct()
        && expression.filter().isEmpty() && average.child().dataType() instanceof DecimalType type
        && type.precision() + SqlExpressions.AVERAGE_DECIMALS <= SqlExpressions.FLOAT_DIGITS;
  }

  /** Such an average as Spark computes it, from a sum and a count. */
  private static Expression floatingAverage(
      AggregateExpression expression, List<Expression> parts, List<NamedExpression> outputs) {
    Average average = (Average) expression.aggregateFunction();
    DecimalType type = (DecimalType) average.child().dataType();
    Expression sum = part(with(expression, new Sum(average.child(), LEGACY)), parts, outputs);
    Expression count = part(
        with(expression, new Count(sequence(List.of(average.child())))), parts, outputs);
    Decimal unit = Decimal.apply(BigDecimal.ONE.scaleByPowerOfTen(type.scale()));
    Expression unscaled = new Cast(
        new Multiply(sum, new Literal(unit, DataTypes.createDecimalType(type.scale() + 1, 0)), LEGACY),
        DataTypes.DoubleType, scala.Option.empty());
    Expression mean = new Divide(
        unscaled, new Cast(count, DataTypes.DoubleType, scala.Option.empty()), LEGACY);
    Expression scaled = new Divide(
        mean, new Literal(Math.pow(10, type.scale()), DataTypes.DoubleType), LEGACY);
    return new Cast(scaled, average.dataType(), scala.Option.empty());
  }

  /** Another function of the same kind of aggregate. */
  static AggregateExpression with(
      AggregateExpression expression, AggregateFunction function) {
    return expression.copy(function, expression.mode(), expression.isDistinct(),
        expression.filter(), NamedExpression.newExprId());
  }

  /** The attribute that stands for a part of what an aggregate gives. */
  static Expression part(
      Expression expression, List<Expression> parts, List<NamedExpression> outputs) {
    for (int index = 0; index < parts.size(); index++) {
      if (parts.get(index).semanticEquals(expression)) {
        return outputs.get(index).toAttribute();
      }
    }
    NamedExpression output = expression instanceof Attribute attribute ? attribute
        : new Alias(expression, "magic", NamedExpression.newExprId(), PlanExpressions.nothing(),
            scala.Option.empty(), PlanExpressions.nothing());
    parts.add(expression);
    outputs.add(output);
    return output.toAttribute();
  }

  private Query sorted(Query query, List<SortOrder> orders) throws Untranslatable {
    Query free = query.rows().limit().isPresent() ? query.nested(nested++, false) : query;
    PlanExpressions expressions = expressions(free);
    List<String> parts = new ArrayList<>();
    for (SortOrder each : orders) {
      parts.add(expressions.order(each));
    }
    return free.orderedBy(parts);
  }

  private PlanExpressions expressions(Query query) {
    return new PlanExpressions(query.columns(), each -> value(each, query));
  }

  /** A subquery that gives one value, or none, which is NULL. */
  private String value(ScalarSubquery subquery, Query outer) throws Untranslatable {
    require(subquery.outerAttrs().isEmpty() && subquery.joinCond().isEmpty());
    Query query = required(subquery.plan());
    require(query.isSingle() && query.isReadWith(outer));
    List<Attribute> output = list(subquery.plan().output());
    require(output.size() == 1);
    TableColumn column = query.columns().get(PlanExpressions.name(output.get(0).exprId()));
    return "(" + query.rows().reading(List.of(column.read())).sql() + ")";
  }

  /** The parts of a condition that all have to hold. */
  static List<Expression> conjuncts(Expression condition) {
    if (!(condition instanceof And and)) {
      return List.of(condition);
    }
    List<Expression> parts = new ArrayList<>(conjuncts(and.left()));
    parts.addAll(conjuncts(and.right()));
    return parts;
  }

  static <T> List<T> list(scala.collection.immutable.Seq<T> sequence) {
    return CollectionConverters.asJava(sequence);
  }

  static <T> scala.collection.immutable.Seq<T> sequence(List<T> list) {
    return CollectionConverters.asScala(list).toSeq();
  }
}
