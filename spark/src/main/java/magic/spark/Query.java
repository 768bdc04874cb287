package magic.spark;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A statement in the making, for a part of a plan.
 *
 * @param first one of the tables that it reads; all are read at the snapshot and with the options of
 *     this one
 * @param options of the reads
 * @param source where the rows are from
 * @param columns what it gives, by the names that expressions have for it
 * @param conditions of the rows of the source
 * @param isAggregate whether the columns are of groups
 * @param grouping what rows are grouped by
 * @param order the parts of ORDER BY
 * @param limit how many rows there are at most
 * @param hasSubqueries whether expressions have subqueries
 */
record Query(
    MagicTable first,
    ConnectionOptions options,
    RowSource source,
    Map<String, TableColumn> columns,
    List<String> conditions,
    boolean isAggregate,
    List<String> grouping,
    List<String> order,
    OptionalInt limit,
    boolean hasSubqueries) {

  /** What names that are given to outputs begin with. */
  static final String NAMES = "magic ";

  /** The rows of a source. */
  static Query of(MagicTable first, ConnectionOptions options, RowSource source,
      Map<String, TableColumn> columns) {
    return new Query(first, options, source, columns, List.of(), false, List.of(), List.of(),
        OptionalInt.empty(), false);
  }

  /** The same with other columns. */
  Query giving(Map<String, TableColumn> others) {
    return new Query(
        first, options, source, others, conditions, isAggregate, grouping, order, limit,
        hasSubqueries);
  }

  /** Those of its rows for which conditions hold. Without groups and limit. */
  Query where(List<String> more) {
    List<String> all = new ArrayList<>(conditions);
    all.addAll(more);
    return new Query(first, options, source, columns, all, isAggregate, grouping, order, limit,
        hasSubqueries);
  }

  /** A row for each group. Without groups and limit. */
  Query groupedBy(List<String> keys, Map<String, TableColumn> results) {
    return new Query(
        first, options, source, results, conditions, true, keys, List.of(), OptionalInt.empty(),
        hasSubqueries);
  }

  /** Its rows in an order. Without limit. */
  Query orderedBy(List<String> parts) {
    return new Query(
        first, options, source, columns, conditions, isAggregate, grouping, parts, limit,
        hasSubqueries);
  }

  /** Its first rows. */
  Query limitedTo(int most) {
    int rows = limit.isPresent() ? Math.min(limit.getAsInt(), most) : most;
    return new Query(first, options, source, columns, conditions, isAggregate, grouping, order,
        OptionalInt.of(rows), hasSubqueries);
  }

  /** The same, some of whose expressions have subqueries. */
  Query withSubqueries() {
    return new Query(
        first, options, source, columns, conditions, isAggregate, grouping, order, limit, true);
  }

  /** Whether conditions can be added to those of the rows. */
  boolean isPlain() {
    return !isAggregate && limit.isEmpty();
  }

  /** Whether there is one row at most. */
  boolean isSingle() {
    return statement(List.of()).isSingle()
        || source instanceof RowSource.Nested nested && nested.statement().isSingle();
  }

  /** Makes sure that names which are given to outputs are not those of columns. */
  static void requireOwnNames(RowSource source) throws Untranslatable {
    for (MagicTable table : source.tables()) {
      Untranslatable.require(table.tableColumns().stream()
          .noneMatch(each -> each.name().startsWith(NAMES)));
    }
  }

  /** Whether it does more than to look for rows of one table. */
  boolean isComposed() {
    return isAggregate || hasSubqueries || !(source instanceof RowSource.Table);
  }

  /** Whether parts of the rows can be read apart from each other. */
  boolean isDivided() {
    return !isComposed() && isPlain() && order.isEmpty();
  }

  /** Whether the server takes it. */
  boolean isShort() {
    return statement(columns.values().stream().map(TableColumn::read).toList()).sql().length()
        <= ScanStatement.LONGEST;
  }

  /** Whether both can be in one statement. */
  boolean isReadWith(Query other) {
    return options.equals(other.options) && first.snapshot().equals(other.first.snapshot());
  }

  /** The statement that gives some expressions. */
  ScanStatement statement(List<String> outputs) {
    return new ScanStatement(
        source, outputs, conditions, isAggregate, grouping, order, limit, 0);
  }

  /**
   * Its rows as those of a source, with names of their own.
   *
   * @param number a number that no other part of the statement has
   * @param isOuter whether rows can be missing, and are nulls then
   * @throws Untranslatable when nulls cannot tell that, or a table has columns with such names
   */
  Query nested(int number, boolean isOuter) throws Untranslatable {
    requireOwnNames(source);
    String prefix = NAMES + (source.depth() + 1) + " " + number + " ";
    List<String> outputs = new ArrayList<>();
    List<String> names = new ArrayList<>();
    Map<String, TableColumn> named = new LinkedHashMap<>();
    for (Map.Entry<String, TableColumn> each : columns.entrySet()) {
      TableColumn column = each.getValue();
      Untranslatable.require(!isOuter || column.type().canBeNull());
      String name = TableColumn.quoted(prefix + names.size());
      names.add(name);
      outputs.add(isOuter ? column.type().missing(column.expression()) : column.expression());
      named.put(each.getKey(), new TableColumn(column.name(), name,
          isOuter ? column.type().missing() : column.type(), ""));
    }
    ScanStatement inner = limit.isPresent() ? statement(outputs)
        : orderedBy(List.of()).statement(outputs);
    return of(first, options, new RowSource.Nested(inner, names), named);
  }
}
