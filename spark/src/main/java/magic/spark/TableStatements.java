package magic.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.catalog.constraints.Constraint;
import org.apache.spark.sql.connector.catalog.constraints.PrimaryKey;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;

/** Declarations of tables in the server's SQL. */
final class TableStatements {
  /** The property that names the columns of a table's key, with commas between. */
  static final String PRIMARY_KEY = "primaryKey";

  private static final String PROVIDER = "magic";
  /** Properties that Spark gives by itself. */
  private static final Set<String> IGNORED =
      Set.of(TableCatalog.PROP_OWNER, TableCatalog.PROP_IS_MANAGED_LOCATION,
          TableCatalog.PROP_TABLE_TYPE);

  private TableStatements() {}

  /** The columns of the key that a declaration gives; empty when rows have none. */
  static List<String> primaryKey(TableInfo info) {
    List<String> columns = Arrays.stream(info.columns()).map(Column::name).toList();
    List<String> key = new ArrayList<>();
    String property = info.properties().getOrDefault(PRIMARY_KEY, "");
    if (!property.isBlank()) {
      for (String name : property.split(",")) {
        String wanted = name.strip();
        key.add(columns.contains(wanted) ? wanted
            : columns.stream().filter(wanted::equalsIgnoreCase).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                    "The property " + PRIMARY_KEY + " names " + wanted
                        + ", but there are the columns " + String.join(", ", columns))));
      }
    }
    for (Constraint constraint : info.constraints()) {
      if (!(constraint instanceof PrimaryKey declared)) {
        throw unsupported("the constraint " + constraint.name() + ": a table has a primary key only");
      }
      if (!key.isEmpty()) {
        throw unsupported("a second primary key");
      }
      for (NamedReference column : declared.columns()) {
        key.add(String.join(".", column.fieldNames()));
      }
    }
    return key;
  }

  /**
   * Refuses what a table cannot be declared with.
   *
   * @throws UnsupportedOperationException for partitions, another provider, a location and properties
   *     that mean nothing
   */
  static void check(TableInfo info) {
    if (info.partitions().length > 0) {
      throw unsupported("PARTITIONED BY: the server keeps a table in the order of its key");
    }
    for (Map.Entry<String, String> property : info.properties().entrySet()) {
      String name = property.getKey();
      boolean isKnown = IGNORED.contains(name) || name.equals(TableCatalog.PROP_COMMENT)
          || name.equals(PRIMARY_KEY)
          || name.equals(TableCatalog.PROP_PROVIDER) && isProvider(property.getValue());
      if (!isKnown) {
        throw unsupported("the table property " + name + " = " + property.getValue()
            + "; there are " + PRIMARY_KEY + " and " + TableCatalog.PROP_COMMENT);
      }
    }
  }

  /** Whether a declaration means this catalog: {@code saveAsTable} names the session's standard. */
  private static boolean isProvider(String name) {
    return name.equals(PROVIDER) || name.equals(SQLConf.get().defaultDataSourceName());
  }

  /** CREATE TABLE. */
  static String create(String database, String table, TableInfo info, List<String> key) {
    List<String> columns = new ArrayList<>();
    for (Column column : info.columns()) {
      boolean isNullable = column.nullable() && !key.contains(column.name());
      columns.add(TableColumn.quoted(column.name()) + " "
          + declared(column.name(), column.dataType(), isNullable) + comment(column.comment()));
    }
    String order = key.isEmpty() ? "tuple()"
        : "(" + String.join(", ", key.stream().map(TableColumn::quoted).toList()) + ")";
    return "CREATE TABLE " + name(database, table) + " (" + String.join(", ", columns)
        + ") ENGINE = MutableMergeTree ORDER BY " + order
        + comment(info.properties().get(TableCatalog.PROP_COMMENT));
  }

  /**
   * ALTER TABLE.
   *
   * @param columns that there are
   * @param types of these, as the server declares them
   */
  static String alter(
      String database, String table, List<TableColumn> columns, Map<String, String> types,
      TableChange... changes) {
    List<String> clauses = new ArrayList<>();
    for (TableChange change : changes) {
      clauses.add(clause(change, columns, types));
    }
    return "ALTER TABLE " + name(database, table) + " " + String.join(", ", clauses);
  }

  /** ALTER TABLE … for the comments of a declaration; empty when it has none. */
  static Optional<String> comments(String database, String table, TableInfo info) {
    List<String> clauses = new ArrayList<>();
    for (Column column : info.columns()) {
      if (column.comment() != null) {
        clauses.add("COMMENT COLUMN " + TableColumn.quoted(column.name()) + " "
            + text(column.comment()));
      }
    }
    String comment = info.properties().get(TableCatalog.PROP_COMMENT);
    if (comment != null) {
      clauses.add("MODIFY COMMENT " + text(comment));
    }
    return clauses.isEmpty() ? Optional.empty()
        : Optional.of("ALTER TABLE " + name(database, table) + " " + String.join(", ", clauses));
  }

  private static String clause(
      TableChange change, List<TableColumn> columns, Map<String, String> types) {
    if (change instanceof TableChange.SetProperty set) {
      if (set.property().equals(TableCatalog.PROP_COMMENT)) {
        return "MODIFY COMMENT " + text(set.value());
      }
      throw unsupported("the table property " + set.property());
    }
    if (change instanceof TableChange.RemoveProperty removed) {
      if (removed.property().equals(TableCatalog.PROP_COMMENT)) {
        return "MODIFY COMMENT ''";
      }
      throw unsupported("the table property " + removed.property());
    }
    if (!(change instanceof TableChange.ColumnChange columnChange)) {
      throw unsupported(change.getClass().getSimpleName());
    }
    if (columnChange.fieldNames().length != 1) {
      throw unsupported("a change of " + String.join(".", columnChange.fieldNames())
          + ", a field of a struct");
    }
    String name = columnChange.fieldNames()[0];
    String quoted = TableColumn.quoted(name);
    if (change instanceof TableChange.AddColumn added) {
      if (added.defaultValue() != null) {
        throw unsupported("a default value");
      }
      return "ADD COLUMN " + quoted + " " + declared(name, added.dataType(), added.isNullable())
          + comment(added.comment()) + position(added.position());
    } else if (change instanceof TableChange.RenameColumn renamed) {
      return "RENAME COLUMN " + quoted + " TO " + TableColumn.quoted(renamed.newName());
    } else if (change instanceof TableChange.DeleteColumn deleted) {
      return "DROP COLUMN " + (deleted.ifExists() ? "IF EXISTS " : "") + quoted;
    } else if (change instanceof TableChange.UpdateColumnComment commented) {
      return "COMMENT COLUMN " + quoted + " " + text(commented.newComment());
    } else if (change instanceof TableChange.UpdateColumnType typed) {
      boolean isNullable = columns.stream().filter(each -> each.name().equals(name))
          .anyMatch(each -> each.type().nullable());
      return "MODIFY COLUMN " + quoted + " " + declared(name, typed.newDataType(), isNullable);
    } else if (change instanceof TableChange.UpdateColumnNullability nullability) {
      return "MODIFY COLUMN " + quoted + " " + nullable(types.get(name), nullability.nullable());
    } else if (change instanceof TableChange.UpdateColumnPosition moved) {
      return "MODIFY COLUMN " + quoted + " " + types.get(name) + position(moved.position());
    }
    throw unsupported(change.getClass().getSimpleName());
  }

  /** The server's type for a column. */
  static String declared(String column, DataType type, boolean isNullable) {
    return ColumnType.declared(type, isNullable).orElseThrow(() -> unsupported(
        "the type " + type.catalogString() + " of the column " + column));
  }

  private static String nullable(String type, boolean isNullable) {
    boolean isAlready = type.startsWith("Nullable(");
    if (isNullable == isAlready) {
      return type;
    }
    return isNullable ? "Nullable(" + type + ")"
        : type.substring("Nullable(".length(), type.length() - 1);
  }

  private static String position(TableChange.ColumnPosition position) {
    if (position == null) {
      return "";
    }
    return position instanceof TableChange.After after
        ? " AFTER " + TableColumn.quoted(after.column()) : " FIRST";
  }

  /** A table's name in the server's SQL. */
  static String name(String database, String table) {
    return TableColumn.quoted(database) + "." + TableColumn.quoted(table);
  }

  /** A clause with a comment; nothing when there is none. */
  static String comment(String comment) {
    return comment == null || comment.isEmpty() ? "" : " COMMENT " + text(comment);
  }

  private static String text(String value) {
    String content = Optional.ofNullable(value).orElse("");
    return "'" + content.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  private static UnsupportedOperationException unsupported(String what) {
    return new UnsupportedOperationException("Magic tables do not support " + what);
  }
}
