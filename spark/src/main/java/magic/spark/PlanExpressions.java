package magic.spark;

import static magic.spark.Untranslatable.require;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.EvalMode;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Like;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Not;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.ScalarSubquery;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.Average;
import org.apache.spark.sql.catalyst.expressions.aggregate.Sum;
import org.apache.spark.sql.catalyst.util.V2ExpressionBuilder;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.LiteralValue;
import org.apache.spark.sql.connector.expressions.SortValue;
import org.apache.spark.sql.connector.expressions.aggregate.Aggregation;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.execution.datasources.DataSourceStrategy$;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import scala.Enumeration;
import scala.Option;
import scala.PartialFunction;
import scala.collection.immutable.Nil$;
import scala.jdk.javaapi.CollectionConverters;

/** Writes the expressions of a plan, through the form that Spark gives to data sources. */
final class PlanExpressions {
  /** Finds what a subquery of one value is in the server's SQL. */
  interface Subqueries {
    /** @throws Untranslatable when it stays with Spark */
    String value(ScalarSubquery subquery) throws Untranslatable;
  }

  private final List<TableColumn> columns = new ArrayList<>();
  private final Subqueries subqueries;
  private boolean haveSubqueries;

  /** @param columns those that expressions can name, see {@link #name} */
  PlanExpressions(Map<String, TableColumn> columns, Subqueries subqueries) {
    columns.forEach((name, column) -> this.columns.add(
        new TableColumn(name, column.expression(), column.type(), "")));
    this.subqueries = subqueries;
  }

  /** Whether one of the expressions has had a subquery. */
  boolean haveSubqueries() {
    return haveSubqueries;
  }

  /** The name of an attribute: no other one of the plan has it. */
  static String name(ExprId id) {
    return "c" + id.id();
  }

  private String condition(org.apache.spark.sql.catalyst.expressions.Expression expression)
      throws Untranslatable {
    return translator(expression).condition(predicate(renamed(expression)))
        .orElseThrow(Untranslatable::new);
  }

  /** Conditions. */
  List<String> conditions(List<org.apache.spark.sql.catalyst.expressions.Expression> expressions)
      throws Untranslatable {
    List<String> conditions = new ArrayList<>();
    for (org.apache.spark.sql.catalyst.expressions.Expression each : expressions) {
      conditions.add(condition(each));
    }
    return conditions;
  }

  /** A value, of just the type that it has for Spark. */
  SqlValue value(org.apache.spark.sql.catalyst.expressions.Expression expression)
      throws Untranslatable {
    return typed(translator(expression).value(built(renamed(expression))), expression.dataType());
  }

  /** What rows are grouped by. */
  SqlValue grouping(org.apache.spark.sql.catalyst.expressions.Expression expression)
      throws Untranslatable {
    return typed(
        translator(expression).grouping(built(renamed(expression))), expression.dataType());
  }

  /** An aggregate. */
  SqlValue aggregate(AggregateExpression expression) throws Untranslatable {
    Enumeration.Value mode = mode(expression);
    require(mode != EvalMode.TRY());
    boolean ansi = mode == null ? SQLConf.get().ansiEnabled() : mode == EvalMode.ANSI();
    AggregateExpression renamed = (AggregateExpression) renamed(expression);
    Option<Aggregation> aggregation = DataSourceStrategy$.MODULE$.translateAggregation(
        CollectionConverters.asScala(List.of(renamed)).toSeq(), nothing());
    require(aggregation.isDefined());
    return typed(translator(expression, ansi).aggregate(
        aggregation.get().aggregateExpressions()[0]), expression.dataType());
  }

  /** A part of ORDER BY. */
  String order(org.apache.spark.sql.catalyst.expressions.SortOrder order) throws Untranslatable {
    var direction = order.direction().sql().equals("ASC")
        ? org.apache.spark.sql.connector.expressions.SortDirection.ASCENDING
        : org.apache.spark.sql.connector.expressions.SortDirection.DESCENDING;
    var nulls = order.nullOrdering().sql().equals("NULLS FIRST")
        ? org.apache.spark.sql.connector.expressions.NullOrdering.NULLS_FIRST
        : org.apache.spark.sql.connector.expressions.NullOrdering.NULLS_LAST;
    return translator(order.child())
        .order(new SortValue(built(renamed(order.child())), direction, nulls))
        .orElseThrow(Untranslatable::new);
  }

  /** What a sum or an average does when it overflows; null for other aggregates. */
  static Enumeration.Value mode(AggregateExpression expression) {
    if (expression.aggregateFunction() instanceof Sum sum) {
      return sum.evalContext().evalMode();
    }
    return expression.aggregateFunction() instanceof Average average ? average.evalMode() : null;
  }

  private static SqlValue typed(Optional<SqlValue> value, DataType type) throws Untranslatable {
    require(value.isPresent() && value.get().type().equals(type));
    return value.get();
  }

  private SqlExpressions translator(org.apache.spark.sql.catalyst.expressions.Expression expression)
      throws Untranslatable {
    return translator(expression, SQLConf.get().ansiEnabled());
  }

  /**
   * Writes expressions with the columns and the subqueries that one has.
   *
   * @param ansi whether what overflows is an error
   */
  private SqlExpressions translator(
      org.apache.spark.sql.catalyst.expressions.Expression expression, boolean ansi)
      throws Untranslatable {
    List<ScalarSubquery> found = new ArrayList<>();
    expression.foreach(each -> {
      if (each instanceof ScalarSubquery subquery) {
        found.add(subquery);
      }
      return scala.runtime.BoxedUnit.UNIT;
    });
    for (ScalarSubquery each : found) {
      haveSubqueries = true;
      String target = ColumnType.target(each.dataType());
      require(target != null);
      columns.add(new TableColumn(name(each.exprId()), subqueries.value(each),
          ColumnType.of("Nullable(" + target + ")"), ""));
    }
    return new SqlExpressions(columns, ansi);
  }

  /** The same with names that no other attributes have; subqueries have them, too. */
  private static org.apache.spark.sql.catalyst.expressions.Expression renamed(
      org.apache.spark.sql.catalyst.expressions.Expression expression) {
    return expression.transformDown(
        PartialFunction.fromFunction(each -> {
          if (each instanceof AttributeReference attribute) {
            return attribute.withName(name(attribute.exprId()));
          }
          if (each instanceof ScalarSubquery subquery) {
            Attribute value = new AttributeReference(name(subquery.exprId()), subquery.dataType(),
                true, org.apache.spark.sql.types.Metadata.empty(), subquery.exprId(), nothing());
            return value;
          }
          return each;
        }));
  }

  /** Conditions of which Spark's own translation has no LIKE. */
  private static Predicate predicate(org.apache.spark.sql.catalyst.expressions.Expression expression)
      throws Untranslatable {
    if (expression instanceof And and) {
      return new Predicate("AND", both(predicate(and.left()), predicate(and.right())));
    }
    if (expression instanceof Or or) {
      return new Predicate("OR", both(predicate(or.left()), predicate(or.right())));
    }
    if (expression instanceof Not not && not.child() instanceof Like) {
      return new Predicate("NOT", new Expression[] {predicate(not.child())});
    }
    if (expression instanceof Like like && like.right() instanceof Literal pattern) {
      require(pattern.value() != null && pattern.value().toString().indexOf(like.escapeChar()) < 0);
      return new Predicate("LIKE", both(
          built(like.left()), new LiteralValue<>(pattern.value(), pattern.dataType())));
    }
    Option<Predicate> built = new V2ExpressionBuilder(expression, true).buildPredicate();
    require(built.isDefined());
    return built.get();
  }

  private static Expression[] both(Expression left, Expression right) {
    return new Expression[] {left, right};
  }

  private static Expression built(org.apache.spark.sql.catalyst.expressions.Expression expression)
      throws Untranslatable {
    Option<Expression> built = new V2ExpressionBuilder(expression, false).build();
    require(built.isDefined());
    return built.get();
  }

  @SuppressWarnings("unchecked")
  static <T> scala.collection.immutable.Seq<T> nothing() {
    return (scala.collection.immutable.Seq<T>) Nil$.MODULE$;
  }
}
