package magic.spark;

import java.util.List;
import java.util.stream.Stream;

/** What a scan takes its rows from. */
sealed interface RowSource {
  /** What stands behind FROM. */
  String sql();

  /** A clause at the end of the statement; empty for none. */
  default String settings() {
    return "";
  }

  /** The tables that it reads. */
  List<MagicTable> tables();

  /** How deep joins are nested in it. */
  int depth();

  /** The rows of a table. */
  record Table(MagicTable table) implements RowSource {
    @Override
    public String sql() {
      return TableStatements.name(table.database(), table.table());
    }

    @Override
    public List<MagicTable> tables() {
      return List.of(table);
    }

    @Override
    public int depth() {
      return 0;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Table source && source.sql().equals(sql());
    }

    @Override
    public int hashCode() {
      return sql().hashCode();
    }
  }

  /**
   * The rows of two scans, joined.
   *
   * @param type {@code INNER}, or {@code LEFT} or {@code RIGHT} for tables that are no views
   * @param condition in the names that the scans give their outputs
   */
  record Join(ScanStatement left, ScanStatement right, String type, String condition)
      implements RowSource {
    @Override
    public String sql() {
      return "(" + left.sql() + ") AS l " + type + " JOIN (" + right.sql() + ") AS r ON "
          + condition;
    }

    /** Has rows without a partner have nulls, as in SQL. */
    @Override
    public String settings() {
      return type.equals("INNER") ? "" : " SETTINGS join_use_nulls = 1";
    }

    @Override
    public List<MagicTable> tables() {
      return Stream.concat(left.source().tables().stream(), right.source().tables().stream())
          .toList();
    }

    @Override
    public int depth() {
      return 1 + Math.max(left.source().depth(), right.source().depth());
    }
  }
}
