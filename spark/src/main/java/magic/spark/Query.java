package magic.spark;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A statement in the making, for a part of a plan.
 *
 * @param first one of the tables that it reads; all are read at the snapshot of this one
 * @param options how they are read
 * @param rows what it reads, without outputs
 * @param columns what it gives, by the names that expressions have for it
 * @param hasSubqueries whether expressions have subqueries
 */
record Query(
    MagicTable first,
    ConnectionOptions options,
    ScanStatement rows,
    Map<String, TableColumn> columns,
    boolean hasSubqueries) {

  /** What names that are given to outputs begin with. */
  private static final String NAMES = "magic ";

  /** The rows of a source. */
  static Query of(MagicTable first, ConnectionOptions options, RowSource source,
      Map<String, TableColumn> columns) {
    return new Query(first, options, ScanStatement.of(source), columns, false);
  }

  private Query reading(ScanStatement other) {
    return new Query(first, options, other, columns, hasSubqueries);
  }

  /** The same with other columns. */
  Query giving(Map<String, TableColumn> others) {
    return new Query(first, options, rows, others, hasSubqueries);
  }

  /** Those of its rows for which conditions hold, if it {@linkplain #isPlain is plain}. */
  Query where(List<String> conditions) {
    return reading(rows.where(conditions));
  }

  /** A row for each group, if it {@linkplain #isPlain is plain}. */
  Query groupedBy(List<String> keys, Map<String, TableColumn> results) {
    return reading(rows.groupedBy(keys)).giving(results);
  }

  /** Its rows in an order, if it has no limit. */
  Query orderedBy(List<String> parts) {
    return reading(rows.orderedBy(parts));
  }

  /** Its first rows. */
  Query limitedTo(int most) {
    return reading(rows.limitedTo(most));
  }

  /** The same, with expressions of which some may have subqueries. */
  Query with(PlanExpressions expressions) {
    return new Query(
        first, options, rows, columns, hasSubqueries || expressions.haveSubqueries());
  }

  /** Whether it has neither groups nor a limit. */
  boolean isPlain() {
    return !rows.isAggregate() && rows.limit().isEmpty();
  }

  /** Whether there is one row at most. */
  boolean isSingle() {
    return rows.isSingle()
        || rows.source() instanceof RowSource.Nested nested && nested.statement().isSingle();
  }

  /** Whether it does more than to look for rows of one table. */
  boolean isComposed() {
    return rows.isAggregate() || hasSubqueries || !(rows.source() instanceof RowSource.Table);
  }

  /** Whether parts of the rows can be read apart from each other. */
  boolean isDivided() {
    return !isComposed() && isPlain() && rows.order().isEmpty();
  }

  /** Whether the server takes it. */
  boolean isShort() {
    return rows.reading(columns.values().stream().map(TableColumn::read).toList()).sql().length()
        <= ScanStatement.LONGEST;
  }

  /** Whether both can be in one statement. */
  boolean isReadWith(Query other) {
    return options.equals(other.options) && first.snapshot().equals(other.first.snapshot());
  }

  /**
   * Its rows as those of a source, with names of their own.
   *
   * @param number a number that no other part of the statement has
   * @param isOuter whether rows can be missing, and are nulls then
   * @throws Untranslatable when nulls cannot tell that, or a table has columns with such names
   */
  Query nested(int number, boolean isOuter) throws Untranslatable {
    List<String> names = names(rows.source(), number, columns.size());
    List<String> outputs = new ArrayList<>();
    Map<String, TableColumn> named = new LinkedHashMap<>();
    for (Map.Entry<String, TableColumn> each : columns.entrySet()) {
      TableColumn column = each.getValue();
      Untranslatable.require(!isOuter || column.type().canBeNull());
      named.put(each.getKey(), new TableColumn(column.name(), names.get(outputs.size()),
          isOuter ? column.type().missing() : column.type(), ""));
      outputs.add(isOuter ? column.type().missing(column.expression()) : column.expression());
    }
    // An order is of use only together with a limit.
    ScanStatement inner = rows.limit().isPresent() ? rows : rows.orderedBy(List.of());
    return of(first, options, new RowSource.Nested(inner.reading(outputs), names), named);
  }

  /**
   * Names for the outputs of a statement that reads a source, which nothing in it has.
   *
   * @param number a number that no other part of the statement has
   * @throws Untranslatable when a table has columns with such names
   */
  static List<String> names(RowSource source, int number, int count) throws Untranslatable {
    for (MagicTable table : source.tables()) {
      Untranslatable.require(table.tableColumns().stream()
          .noneMatch(each -> each.name().startsWith(NAMES)));
    }
    List<String> names = new ArrayList<>();
    for (int index = 0; index < count; index++) {
      names.add(TableColumn.quoted(
          NAMES + (source.depth() + 1) + " " + number + " " + index));
    }
    return names;
  }
}
