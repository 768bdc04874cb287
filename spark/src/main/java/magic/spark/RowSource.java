package magic.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What a scan takes its rows from. */
sealed interface RowSource {
  /** What stands behind FROM. */
  String sql();

  /** The tables that it reads. */
  List<MagicTable> tables();

  /** How deep statements are nested in it. Names that are given to outputs have it in them. */
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
   * The rows that a statement gives.
   *
   * @param names those of its outputs
   */
  record Nested(ScanStatement statement, List<String> names) implements RowSource {
    @Override
    public String sql() {
      List<String> outputs = new ArrayList<>();
      for (int index = 0; index < names.size(); index++) {
        outputs.add(statement.outputs().get(index) + " AS " + names.get(index));
      }
      return "(" + statement.reading(outputs).sql() + ")";
    }

    @Override
    public List<MagicTable> tables() {
      return statement.source().tables();
    }

    @Override
    public int depth() {
      return 1 + statement.source().depth();
    }
  }

  /**
   * The rows of two others, joined. Their columns have different names.
   *
   * @param right a single one
   * @param type what stands before JOIN; columns that can be missing have nulls by their type
   */
  record Join(RowSource left, Nested right, String type, String condition) implements RowSource {
    @Override
    public String sql() {
      String first = left instanceof Join ? left.sql() : left.sql() + " AS t0";
      return first + " " + type + " JOIN " + right.sql() + " AS t" + count() + " ON " + condition;
    }

    private int count() {
      return left instanceof Join join ? 1 + join.count() : 1;
    }

    @Override
    public List<MagicTable> tables() {
      return Stream.concat(left.tables().stream(), right.tables().stream()).toList();
    }

    @Override
    public int depth() {
      return Math.max(left.depth(), right.depth());
    }
  }
}
