package magic.spark;

import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;

/**
 * A column that can be read.
 *
 * @param name its name in Spark
 * @param expression what it is in the server's SQL
 * @param type of its values
 * @param comment what the table's declaration says of it
 */
record TableColumn(String name, String expression, ColumnType type, String comment) {
  /** A column of a table. */
  static TableColumn of(String name, String type, String comment) {
    return new TableColumn(name, quoted(name), ColumnType.of(type), comment);
  }

  /** A name in the server's SQL. */
  static String quoted(String name) {
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`";
  }

  /** Whether an expression of the server's SQL is just the column of this name. */
  static boolean isNamed(String expression, String name) {
    if (expression.startsWith("(") && expression.endsWith(")")) {
      return isNamed(expression.substring(1, expression.length() - 1), name);
    }
    return expression.equals(quoted(name))
        || expression.equals(name) && name.matches("[A-Za-z_][A-Za-z_0-9]*");
  }

  /** A name in Spark's SQL, where it stands for itself, dots and all. */
  static String escaped(String name) {
    return "`" + name.replace("`", "``") + "`";
  }

  /** What Spark reads of it. */
  String read() {
    return type.read(expression);
  }

  /** The same with nulls, if the server has nulls of its type. */
  TableColumn orNull() {
    return type.canBeNull() ? new TableColumn(name, expression, type.orNull(), comment) : this;
  }

  /** The column as a catalog shows it. */
  Column column() {
    return Column.create(
        name, type.type(), type.nullable(), comment.isEmpty() ? null : comment, null);
  }

  /** The column in a schema of Spark's. */
  StructField field() {
    return DataTypes.createStructField(name, type.type(), type.nullable());
  }
}
