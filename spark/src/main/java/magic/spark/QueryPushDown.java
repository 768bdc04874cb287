package magic.spark;

import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.optimizer.BooleanSimplification$;
import org.apache.spark.sql.catalyst.optimizer.ColumnPruning$;
import org.apache.spark.sql.catalyst.optimizer.NullPropagation$;
import org.apache.spark.sql.catalyst.optimizer.RewritePredicateSubquery$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.RowLevelWrite;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2ScanRelation;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Replaces the largest parts of a plan that the server can compute by scans of their results. What
 * it leaves Spark pushes down as far as its interface for data sources goes.
 */
final class QueryPushDown extends Rule<LogicalPlan> {
  private static final Logger LOG = LoggerFactory.getLogger(QueryPushDown.class);

  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    if (plan.exists(RowLevelWrite.class::isInstance)
        || !plan.exists(QueryPushDown::isTable)) {
      return plan;
    }
    try {
      return pushed(plan);
    } catch (RuntimeException error) {
      LOG.warn("A query is not pushed down", error);
      return plan;
    }
  }

  private static LogicalPlan pushed(LogicalPlan plan) {
    // IN and EXISTS become joins, as they would later.
    LogicalPlan rewritten = ColumnPruning$.MODULE$.apply(BooleanSimplification$.MODULE$.apply(
        NullPropagation$.MODULE$.apply(RewritePredicateSubquery$.MODULE$.apply(plan))));
    LogicalPlan result = new Pass().pushed(rewritten);
    return result.equals(rewritten) ? plan : result;
  }

  private static boolean isTable(LogicalPlan plan) {
    return plan instanceof DataSourceV2Relation relation && relation.table() instanceof MagicTable;
  }

  /** One plan's. */
  private static final class Pass {
    private final PlanTranslator translator = new PlanTranslator();

    LogicalPlan pushed(LogicalPlan plan) {
      Optional<Query> query = composed(plan);
      if (query.isPresent()) {
        return relation(query.get(), plan);
      }
      if (plan instanceof Filter filter && composed(filter.child()).isPresent()) {
        return filtered(filter);
      }
      if (plan instanceof Aggregate aggregate && PlanTranslator.hasTry(aggregate)) {
        // Spark's interface for data sources has no form for it, and would push a sum down.
        return aggregate.mapChildren(child -> translator.query(child)
            .map(rows -> relation(rows, child)).orElseGet(() -> pushed(child)));
      }
      if (plan instanceof Aggregate aggregate
          && PlanTranslator.divided(aggregate) instanceof Project divided
          && composed(divided.child()).isPresent()) {
        return divided.mapChildren(this::pushed);
      }
      Optional<LogicalPlan> grouped =
          plan instanceof Aggregate aggregate ? grouped(aggregate) : Optional.empty();
      if (grouped.isPresent()) {
        return grouped.get();
      }
      LogicalPlan result = plan.mapChildren(this::pushed);
      return result instanceof Sort sort && sort.global() && isInOnePart(sort.child())
          ? new Sort(sort.order(), false, sort.child(), sort.hint()) : result;
    }

    /** Whether all rows come from one task. Spark would run a statement twice to sort what it gives. */
    private static boolean isInOnePart(LogicalPlan plan) {
      if (plan instanceof Project || plan instanceof Filter) {
        return isInOnePart(plan.children().head());
      }
      return plan instanceof DataSourceV2ScanRelation relation
          && relation.scan() instanceof MagicScan scan && !scan.isDivided();
    }

    /** What is more than a scan of a table, of which Spark reads parts. */
    private Optional<Query> composed(LogicalPlan plan) {
      return plan instanceof DataSourceV2ScanRelation ? Optional.empty()
          : translator.query(plan).filter(Query::isComposed).filter(Query::isShort);
    }

    /** The conditions that the server knows below those that it does not. */
    private LogicalPlan filtered(Filter filter) {
      List<Expression> known = new ArrayList<>();
      List<Expression> left = new ArrayList<>();
      for (Expression each : PlanTranslator.conjuncts(filter.condition())) {
        List<Expression> more = Stream.concat(known.stream(), Stream.of(each)).toList();
        (translator.canFilter(filter.child(), more) ? known : left).add(each);
      }
      if (known.isEmpty() || left.isEmpty()) {
        return filter.mapChildren(this::pushed);
      }
      return new Filter(all(left), pushed(new Filter(all(known), filter.child())));
    }

    /** An aggregate of which the server makes few groups that Spark merges. */
    private Optional<LogicalPlan> grouped(Aggregate aggregate) {
      try {
        PartialAggregate partial = new PartialAggregate(aggregate);
        Aggregate groups = partial.groups();
        Optional<Query> query = translator.query(groups).filter(Query::isShort);
        if (query.isPresent() && query.get().rows().source() instanceof RowSource.Table table
            && table.table() instanceof WritableTable && query.get().first().facts().hasFewGroups(
                table, query.get().rows().grouping(), query.get().options())) {
          return Optional.of(partial.over(relation(query.get(), groups)));
        }
        return Optional.empty();
      } catch (Untranslatable | MagicException | UncheckedIOException reason) {
        // Whatever keeps the server from telling how many groups there are.
        return Optional.empty();
      }
    }

    private static Expression all(List<Expression> conditions) {
      return conditions.stream().reduce(And::new).orElseThrow();
    }

    private LogicalPlan relation(Query query, LogicalPlan plan) {
      StructType schema = new StructType();
      List<String> outputs = new ArrayList<>();
      List<AttributeReference> attributes = new ArrayList<>();
      for (Attribute each : PlanTranslator.list(plan.output())) {
        TableColumn column = query.columns().get(PlanExpressions.name(each.exprId()));
        outputs.add(column.read());
        schema = schema.add(each.name(), each.dataType(), each.nullable());
        attributes.add((AttributeReference) each);
      }
      MagicScan scan = query.first().scan(
          schema, query.rows().reading(outputs), query.options(), query.isDivided(), Optional.empty());
      return new DataSourceV2ScanRelation(relation(plan), scan,
          PlanTranslator.sequence(attributes), scala.Option.empty(), ordering(plan),
          PlanExpressions.nothing(), false);
    }

    /** The order in which the rows come, if they have one that can be told by the columns. */
    private static scala.Option<scala.collection.immutable.Seq<SortOrder>> ordering(LogicalPlan plan) {
      LogicalPlan rows = plan;
      while (rows instanceof GlobalLimit || rows instanceof LocalLimit) {
        rows = rows.children().head();
      }
      return rows instanceof Sort sort && sort.references().subsetOf(plan.outputSet())
              && sort.subqueriesAll().isEmpty()
          ? scala.Option.apply(sort.order()) : scala.Option.empty();
    }

    /** One of the tables. */
    private static DataSourceV2Relation relation(LogicalPlan plan) {
      LogicalPlan leaf = plan.collectLeaves().head();
      return leaf instanceof DataSourceV2ScanRelation scan ? scan.relation()
          : (DataSourceV2Relation) leaf;
    }
  }
}
