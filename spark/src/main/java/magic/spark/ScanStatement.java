package magic.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * What a scan reads.
 *
 * @param source where the rows are from
 * @param outputs an expression for each column of the result
 * @param conditions that hold for all rows that are read
 * @param isAggregate whether it gives one row for each group, or for all rows
 * @param grouping the expressions that rows are grouped by
 * @param order the parts of ORDER BY
 * @param limit how many rows there are at most
 * @param offset how many are left out before these
 */
record ScanStatement(
    RowSource source,
    List<String> outputs,
    List<String> conditions,
    boolean isAggregate,
    List<String> grouping,
    List<String> order,
    OptionalInt limit,
    int offset) {

  /**
   * How long a statement and its conditions get. The server takes up to a megabyte of most users, and
   * 50,000 parts of expressions, which need more than seven letters each.
   */
  static final int LONGEST = 300_000;
  private static final int LONGEST_CONDITIONS = 200_000;

  /** Whether a statement can have these conditions. */
  static boolean areShort(List<String> conditions) {
    return conditions.stream().mapToInt(String::length).sum() <= LONGEST_CONDITIONS;
  }

  /** The same with more conditions. */
  ScanStatement where(List<String> more) {
    List<String> all = new ArrayList<>(conditions);
    all.addAll(more);
    return new ScanStatement(
        source, outputs, all, isAggregate, grouping, order, limit, offset);
  }

  /** All rows of a source, without outputs. */
  static ScanStatement of(RowSource source) {
    return new ScanStatement(source, List.of(), List.of(), false, List.of(), List.of(),
        OptionalInt.empty(), 0);
  }

  /** Whether it gives one row at most. */
  boolean isSingle() {
    return isAggregate && grouping.isEmpty() || limit.isPresent() && limit.getAsInt() <= 1;
  }

  /** The same with other outputs. */
  ScanStatement reading(List<String> others) {
    return new ScanStatement(
        source, others, conditions, isAggregate, grouping, order, limit, offset);
  }

  /** The same with one row for each group. */
  ScanStatement groupedBy(List<String> keys) {
    return new ScanStatement(source, outputs, conditions, true, keys, List.of(), limit, offset);
  }

  /** The same in an order. */
  ScanStatement orderedBy(List<String> parts) {
    return new ScanStatement(
        source, outputs, conditions, isAggregate, grouping, parts, limit, offset);
  }

  /** The same with no more than so many rows. */
  ScanStatement limitedTo(int most) {
    int rows = limit.isPresent() ? Math.min(limit.getAsInt(), most) : most;
    return new ScanStatement(source, outputs, conditions, isAggregate, grouping, order,
        OptionalInt.of(rows), offset);
  }

  /** The statement for the rows in a range of a table. */
  String sql(KeyRange range) {
    return where(range.conditions()).sql();
  }

  /** The statement. Expressions have no aliases that could hide columns. */
  String sql() {
    StringBuilder sql = new StringBuilder("SELECT ")
        .append(outputs.isEmpty() ? "1" : String.join(", ", outputs))
        .append(" FROM ").append(source.sql());
    append(sql, " WHERE ", conditions, " AND ");
    append(sql, " GROUP BY ", grouping, ", ");
    if (isAggregate && grouping.isEmpty()) {
      // One row, also where no aggregate is read.
      sql.append(" HAVING count() >= 0");
    }
    append(sql, " ORDER BY ", order, ", ");
    limit.ifPresent(most -> sql.append(" LIMIT ").append(most));
    if (offset > 0) {
      sql.append(" OFFSET ").append(offset);
    }
    return sql.toString();
  }

  private static void append(StringBuilder sql, String word, List<String> parts, String between) {
    if (!parts.isEmpty()) {
      sql.append(word).append(String.join(between, parts));
    }
  }
}
