package magic.spark;

import static magic.spark.PlanTranslator.LEGACY;
import static magic.spark.Untranslatable.require;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Coalesce;
import org.apache.spark.sql.catalyst.expressions.Divide;
import org.apache.spark.sql.catalyst.expressions.EvalMode;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NumericEvalContext;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateFunction;
import org.apache.spark.sql.catalyst.expressions.aggregate.Average;
import org.apache.spark.sql.catalyst.expressions.aggregate.Complete$;
import org.apache.spark.sql.catalyst.expressions.aggregate.Count;
import org.apache.spark.sql.catalyst.expressions.aggregate.Max;
import org.apache.spark.sql.catalyst.expressions.aggregate.Min;
import org.apache.spark.sql.catalyst.expressions.aggregate.Sum;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import scala.PartialFunction;
import scala.jdk.javaapi.CollectionConverters;

/**
 * An aggregate by what the server cannot compute, from columns that it can group by: it makes the groups of
 * these columns, and Spark makes its own of them.
 */
final class PartialAggregate {
  /** So many digits more than its values a sum of decimals has. */
  private static final int SUM_DIGITS = 10;

  private final Aggregate aggregate;
  /** What Spark has put below the aggregate, to compute by what it groups. */
  private final List<NamedExpression> projected;
  private final LogicalPlan rows;
  private final List<NamedExpression> outputs = new ArrayList<>();
  private final List<Expression> parts = new ArrayList<>();
  private final List<NamedExpression> merged = new ArrayList<>();

  /** @throws Untranslatable when it cannot be divided */
  PartialAggregate(Aggregate aggregate) throws Untranslatable {
    this.aggregate = aggregate;
    boolean isOverProject = aggregate.child() instanceof Project;
    projected = isOverProject
        ? PlanTranslator.list(((Project) aggregate.child()).projectList()) : List.of();
    rows = isOverProject ? ((Project) aggregate.child()).child() : aggregate.child();
    for (Expression key : PlanTranslator.list(aggregate.groupingExpressions())) {
      Expression computed = computed(key);
      require(computed.deterministic());
      for (Attribute each : CollectionConverters.asJava(computed.references().toSeq())) {
        part(each);
      }
    }
    require(!parts.isEmpty());
    for (NamedExpression output : PlanTranslator.list(aggregate.aggregateExpressions())) {
      merged.add(merged(output));
    }
  }

  /** What the server computes. */
  Aggregate groups() {
    List<Expression> keys = parts.stream().filter(Attribute.class::isInstance).toList();
    return new Aggregate(PlanTranslator.sequence(keys), PlanTranslator.sequence(outputs), rows,
        aggregate.hint());
  }

  /** What Spark makes of that. */
  LogicalPlan over(LogicalPlan groups) {
    List<NamedExpression> computed = new ArrayList<>(PlanTranslator.list(groups.output()));
    projected.stream().filter(each -> each instanceof Alias && aggregate.groupingExpressions()
            .exists(key -> key.references().contains(each))).forEach(computed::add);
    return new Aggregate(aggregate.groupingExpressions(), PlanTranslator.sequence(merged),
        new Project(PlanTranslator.sequence(computed), groups), aggregate.hint());
  }

  /** An expression of the rows that are grouped. */
  private Expression computed(Expression expression) {
    return expression.transformUp(PartialFunction.fromFunction(each -> each instanceof Attribute attribute
        ? projected.stream().filter(output -> output.exprId().equals(attribute.exprId()))
            .findFirst().map(PlanTranslator::expression).orElse(each)
        : each));
  }

  private Expression part(Expression expression) {
    return PlanTranslator.part(expression, parts, outputs);
  }

  private NamedExpression merged(NamedExpression output) throws Untranslatable {
    List<AggregateExpression> left = new ArrayList<>();
    NamedExpression result = (NamedExpression) ((Expression) output).transformUp(
        PartialFunction.fromFunction(each -> {
          if (!(each instanceof AggregateExpression function)) {
            return each;
          }
          if (!canBeMerged(function)) {
            left.add(function);
            return each;
          }
          return merged((AggregateExpression) computed(function));
        }));
    require(left.isEmpty());
    return result;
  }

  private static boolean canBeMerged(AggregateExpression expression) {
    if (expression.mode() != Complete$.MODULE$ || expression.isDistinct()
        || expression.filter().isDefined()
        || PlanExpressions.mode(expression) == EvalMode.TRY()) {
      return false;
    }
    AggregateFunction function = expression.aggregateFunction();
    if (function instanceof Sum sum && sum.child().dataType() instanceof DecimalType type) {
      return type.precision() + 2 * SUM_DIGITS <= DecimalType.MAX_PRECISION();
    }
    return function instanceof Count || function instanceof Min || function instanceof Max
        || function instanceof Sum
        || function instanceof Average average && !(average.child().dataType() instanceof DecimalType);
  }

  private Expression merged(AggregateExpression expression) {
    AggregateFunction function = expression.aggregateFunction();
    if (function instanceof Average average) {
      AggregateFunction sum = new Sum(
          new Cast(average.child(), DataTypes.DoubleType, scala.Option.empty()), LEGACY);
      AggregateFunction count = new Count(PlanTranslator.sequence(List.of(average.child())));
      return new Divide(summed(expression, sum, LEGACY), new Cast(
          summed(expression, count, LEGACY), DataTypes.DoubleType,
          scala.Option.empty()), LEGACY);
    }
    if (function instanceof Count) {
      return new Coalesce(PlanTranslator.sequence(List.of(
          summed(expression, function, LEGACY), new Literal(0L, DataTypes.LongType))));
    }
    if (function instanceof Sum sum) {
      Expression total = summed(expression, sum, sum.evalContext());
      return total.dataType().equals(sum.dataType()) ? total
          : new Cast(total, sum.dataType(), scala.Option.empty());
    }
    Expression part = part(expression);
    return PlanTranslator.with(expression,
        function instanceof Min ? new Min(part) : new Max(part));
  }

  /** The sum of what the server gives for a function. */
  private Expression summed(
      AggregateExpression expression, AggregateFunction function, NumericEvalContext context) {
    return PlanTranslator.with(
        expression, new Sum(part(PlanTranslator.with(expression, function)), context));
  }
}
