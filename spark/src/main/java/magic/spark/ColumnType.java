package magic.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * What a type of the server's becomes in Spark. What Spark has no type for is its text.
 *
 * @param type Spark's type
 * @param nullable whether there can be nulls
 * @param target the server's type whose Arrow form Spark takes for {@code type}
 * @param isTarget whether values come in that form by themselves
 * @param compares whether the server compares values as Spark does what it gets
 * @param isUuid whether it is a UUID, which Spark gets as a text
 * @param isUnsignedLong whether it is an integer of 64 bits without sign, and a decimal for Spark
 */
record ColumnType(
    DataType type,
    boolean nullable,
    String target,
    boolean isTarget,
    boolean compares,
    boolean isUuid,
    boolean isUnsignedLong) {
  private static final int MOST_DIGITS = 38;
  private static final int SPARK_FRACTION = 6;

  /** The type with a name such as {@code Nullable(DateTime64(6, 'UTC'))}. */
  static ColumnType of(String name) {
    int bracket = name.indexOf('(');
    String head = bracket < 0 ? name : name.substring(0, bracket);
    List<String> arguments =
        bracket < 0 ? List.of() : arguments(name.substring(bracket + 1, name.length() - 1));
    return switch (head) {
      case "Nullable" -> {
        ColumnType inner = of(arguments.get(0));
        yield new ColumnType(inner.type, true, "Nullable(" + inner.target + ")", inner.isTarget,
            inner.compares, inner.isUuid, inner.isUnsignedLong);
      }
      case "LowCardinality" -> {
        ColumnType inner = of(arguments.get(0));
        boolean isText = inner.type.equals(DataTypes.StringType);
        yield new ColumnType(inner.type, inner.nullable, inner.target, inner.isTarget && isText,
            inner.compares, inner.isUuid, inner.isUnsignedLong);
      }
      case "SimpleAggregateFunction" -> of(arguments.get(1));
      case "Array" -> {
        ColumnType item = of(arguments.get(0));
        yield composed(DataTypes.createArrayType(item.type, item.nullable),
            "Array(" + item.target + ")", item.isTarget);
      }
      case "Map" -> {
        ColumnType key = of(arguments.get(0));
        ColumnType value = of(arguments.get(1));
        MapType type = DataTypes.createMapType(key.type, value.type, value.nullable);
        yield composed(type, "Map(" + key.target + ", " + value.target + ")",
            key.isTarget && value.isTarget);
      }
      case "Tuple" -> arguments.isEmpty() ? text() : tuple(arguments);
      case "Decimal" -> decimal(arguments);
      case "DateTime64" ->
          Integer.parseInt(arguments.get(0)) <= SPARK_FRACTION ? moment(arguments) : text();
      case "DateTime" -> moment(List.of("0"));
      case "UUID" -> new ColumnType(DataTypes.StringType, false, "String", false, false, true,
          false);
      default -> simple(head);
    };
  }

  /** The values of an expression of this type as Spark takes them. */
  String read(String expression) {
    return isTarget ? expression : cast(expression, target);
  }

  /** The values of an expression of this type in a form that compares as what Spark gets. */
  String comparable(String expression) {
    return compares ? expression : read(expression);
  }

  /** Whether the server has nulls of it. */
  boolean canBeNull() {
    return !(type instanceof ArrayType || type instanceof MapType
        || type instanceof StructType);
  }

  /** The same type with nulls. */
  ColumnType orNull() {
    return nullable ? this
        : new ColumnType(type, true, "Nullable(" + target + ")", isTarget, compares, isUuid,
            isUnsignedLong);
  }

  /** The values of an expression of this type where there can be no row, as NULL then. */
  String missing(String expression) {
    return "toNullable(" + comparable(expression) + ")";
  }

  /** The type of these. */
  ColumnType missing() {
    return compares ? orNull() : asRead(type);
  }

  /** The type of what an expression gives that the server evaluates; it can be NULL. */
  static ColumnType computed(DataType type) {
    return new ColumnType(
        type, true, "Nullable(" + target(type) + ")", false, true, false, false);
  }

  /** The type of what has been read from the server as Spark takes it. */
  static ColumnType asRead(DataType type) {
    return new ColumnType(
        type, true, target(type), true, target(type) != null, false, false);
  }

  /** A conversion in the server's SQL. */
  static String cast(String expression, String target) {
    return "CAST(" + expression + " AS " + target + ")";
  }

  /** The server's type, without nulls, that reads as one of Spark's; null when there is none. */
  static String target(DataType type) {
    if (type instanceof DecimalType decimal) {
      return "Decimal(" + decimal.precision() + ", " + decimal.scale() + ")";
    }
    return switch (type.typeName()) {
      case "boolean" -> "Bool";
      case "byte" -> "Int8";
      case "short" -> "Int16";
      case "integer" -> "Int32";
      case "long" -> "Int64";
      case "float" -> "Float32";
      case "double" -> "Float64";
      case "date" -> "Date32";
      case "timestamp" -> "DateTime64(6, 'UTC')";
      case "string" -> "String";
      default -> null;
    };
  }

  /** The server's type for a column of one of Spark's types; empty when there is none. */
  static Optional<String> declared(DataType type, boolean isNullable) {
    if (type instanceof ArrayType array) {
      return declared(array.elementType(), array.containsNull()).map(item -> "Array(" + item + ")");
    }
    if (type instanceof MapType map) {
      return declared(map.keyType(), false).flatMap(key ->
          declared(map.valueType(), map.valueContainsNull())
              .map(value -> "Map(" + key + ", " + value + ")"));
    }
    if (type instanceof StructType struct) {
      List<String> fields = new ArrayList<>();
      for (StructField field : struct.fields()) {
        Optional<String> declared = declared(field.dataType(), field.nullable());
        if (declared.isEmpty()) {
          return declared;
        }
        fields.add(TableColumn.quoted(field.name()) + " " + declared.get());
      }
      return Optional.of("Tuple(" + String.join(", ", fields) + ")");
    }
    String target = switch (type.typeName()) {
      case "binary" -> "String";
      case "timestamp_ntz" -> "DateTime64(6, 'UTC')";
      default -> target(type);
    };
    return Optional.ofNullable(target)
        .map(name -> isNullable ? "Nullable(" + name + ")" : name);
  }

  private static ColumnType simple(String name) {
    return switch (name) {
      case "Bool" -> number(DataTypes.BooleanType, true);
      case "Int8" -> number(DataTypes.ByteType, true);
      case "Int16" -> number(DataTypes.ShortType, true);
      case "Int32" -> number(DataTypes.IntegerType, true);
      case "Int64" -> number(DataTypes.LongType, true);
      case "UInt8" -> number(DataTypes.ShortType, false);
      case "UInt16" -> number(DataTypes.IntegerType, false);
      case "UInt32" -> number(DataTypes.LongType, false);
      case "UInt64" -> {
        DataType type = DataTypes.createDecimalType(20, 0);
        yield new ColumnType(type, false, target(type), false, true, false, true);
      }
      case "Float32" -> number(DataTypes.FloatType, true);
      case "Float64" -> number(DataTypes.DoubleType, true);
      case "BFloat16" -> number(DataTypes.FloatType, false);
      case "Date32" -> number(DataTypes.DateType, true);
      case "Date" -> number(DataTypes.DateType, false);
      case "String" -> new ColumnType(DataTypes.StringType, false, "String", true, true, false,
          false);
      default -> text();
    };
  }

  private static ColumnType number(DataType type, boolean isTarget) {
    return new ColumnType(type, false, target(type), isTarget, true, false, false);
  }

  private static ColumnType text() {
    return new ColumnType(DataTypes.StringType, false, "String", false, false, false, false);
  }

  private static ColumnType decimal(List<String> arguments) {
    int digits = Integer.parseInt(arguments.get(0));
    int scale = Integer.parseInt(arguments.get(1));
    return digits <= MOST_DIGITS ? number(DataTypes.createDecimalType(digits, scale), true) : text();
  }

  private static ColumnType moment(List<String> arguments) {
    boolean isTarget = arguments.size() == 2 && arguments.get(0).equals("6")
        && arguments.get(1).equals("'UTC'");
    return number(DataTypes.TimestampType, isTarget);
  }

  private static ColumnType tuple(List<String> arguments) {
    List<StructField> fields = new ArrayList<>();
    List<String> targets = new ArrayList<>();
    boolean isTarget = true;
    for (String argument : arguments) {
      int space = nameEnd(argument);
      String name = space < 0 ? Integer.toString(fields.size() + 1) : argument.substring(0, space);
      ColumnType type = of(argument.substring(space + 1));
      fields.add(DataTypes.createStructField(unquoted(name), type.type, type.nullable));
      targets.add(space < 0 ? type.target : name + " " + type.target);
      isTarget &= type.isTarget;
    }
    return composed(DataTypes.createStructType(fields),
        "Tuple(" + String.join(", ", targets) + ")", isTarget);
  }

  private static ColumnType composed(DataType type, String target, boolean isTarget) {
    return new ColumnType(type, false, target, isTarget, false, false, false);
  }

  /** Where the name of a tuple's element ends; -1 when it has none. */
  private static int nameEnd(String element) {
    if (element.startsWith("`")) {
      return element.indexOf("` ", 1) + 1;
    }
    int space = element.indexOf(' ');
    int bracket = element.indexOf('(');
    return bracket >= 0 && bracket < space ? -1 : space;
  }

  private static String unquoted(String name) {
    return name.startsWith("`") ? name.substring(1, name.length() - 1) : name;
  }

  /** What stands between the outermost commas. */
  private static List<String> arguments(String text) {
    List<String> parts = new ArrayList<>();
    int depth = 0;
    int begin = 0;
    char quote = 0;
    for (int at = 0; at < text.length(); at++) {
      char each = text.charAt(at);
      if (quote != 0) {
        if (each == '\\') {
          at++;
        } else if (each == quote) {
          quote = 0;
        }
      } else if (each == '\'' || each == '`') {
        quote = each;
      } else if (each == '(') {
        depth++;
      } else if (each == ')') {
        depth--;
      } else if (each == ',' && depth == 0) {
        parts.add(text.substring(begin, at).strip());
        begin = at + 1;
      }
    }
    parts.add(text.substring(begin).strip());
    return parts;
  }
}
