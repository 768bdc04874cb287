package magic.spark;

import static magic.spark.Untranslatable.require;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.spark.sql.connector.expressions.Cast;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.Extract;
import org.apache.spark.sql.connector.expressions.GeneralScalarExpression;
import org.apache.spark.sql.connector.expressions.Literal;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.expressions.NullOrdering;
import org.apache.spark.sql.connector.expressions.SortDirection;
import org.apache.spark.sql.connector.expressions.SortOrder;
import org.apache.spark.sql.connector.expressions.aggregate.AggregateFunc;
import org.apache.spark.sql.connector.expressions.aggregate.Avg;
import org.apache.spark.sql.connector.expressions.aggregate.Count;
import org.apache.spark.sql.connector.expressions.aggregate.CountStar;
import org.apache.spark.sql.connector.expressions.aggregate.Max;
import org.apache.spark.sql.connector.expressions.aggregate.Min;
import org.apache.spark.sql.connector.expressions.aggregate.Sum;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Writes Spark's expressions in the server's SQL, where that gives the same value for every row,
 * nulls, NaN and negative zero included. All others stay with Spark.
 */
final class SqlExpressions {
  private static final int MOST_DIGITS = 38;
  private static final int NARROW_DIGITS = 18;
  /** How many decimals Spark keeps of a result that has more than 38 digits. */
  private static final int KEPT_SCALE = 6;
  /** An expression is written twice to be checked. */
  private static final int LONGEST_CHECKED = 4000;
  /** By how many digits Spark makes a decimal's sum wider. */
  private static final int SUM_DIGITS = 10;
  /** By how many decimals Spark makes an average finer, and how many can be rounded at once. */
  static final int AVERAGE_DECIMALS = 4;
  private static final int MOST_AVERAGE_DECIMALS = 18;
  /** Up to how many digits Spark computes the average of a decimal with floats. */
  static final int FLOAT_DIGITS = 15;
  /** How many parts a pattern of LIKE has, each of which is looked for after those before. */
  private static final int MOST_PARTS = 4;
  /** The days of 0001-01-01 and 9999-12-31, and their first and last microsecond. */
  private static final int FIRST_DAY = -719_162;
  private static final int LAST_DAY = 2_932_896;
  private static final long MICROS_PER_DAY = 86_400_000_000L;

  /** As the server prints them; other texts are equal to none. */
  private static final Pattern UUID =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

  private static final Set<String> COMPARISONS = Set.of("=", "<>", "<", "<=", ">", ">=");
  private static final Map<DataType, Integer> INTEGER_DIGITS =
      Map.of(DataTypes.ByteType, 3, DataTypes.ShortType, 5, DataTypes.IntegerType, 10,
          DataTypes.LongType, 19);
  private static final Map<String, String> DATE_PARTS =
      Map.of("YEAR", "toYear", "QUARTER", "toQuarter", "MONTH", "toMonth", "DAY", "toDayOfMonth",
          "DAY_OF_YEAR", "toDayOfYear");

  private final Map<String, TableColumn> columns = new HashMap<>();
  private final boolean ansi;
  /** Whether an expression is evaluated only for rows for which Spark would evaluate it. */
  private boolean mayFail;

  /**
   * @param columns those that expressions can name; of two with one name the first
   * @param ansi whether Spark's sums end with an error when they overflow
   */
  SqlExpressions(List<TableColumn> columns, boolean ansi) {
    columns.forEach(each -> this.columns.putIfAbsent(each.name(), each));
    this.ansi = ansi;
  }

  /** A condition. */
  Optional<String> condition(Predicate predicate) {
    return translated(() -> predicate(predicate));
  }

  /** What rows are grouped by: the values that are equal for Spark are equal for the server. */
  Optional<SqlValue> grouping(Expression expression) {
    return translated(() -> {
      require(expression.references().length > 0);
      return ordered(written(expression));
    });
  }

  /** An aggregate. */
  Optional<SqlValue> aggregate(AggregateFunc function) {
    return translated(() -> aggregated(function));
  }

  /** A part of ORDER BY. */
  Optional<String> order(SortOrder order) {
    return translated(() -> {
      SqlValue value = order.expression() instanceof AggregateFunc function
          ? aggregated(function) : written(order.expression());
      return ordered(value).text()
          + (order.direction() == SortDirection.ASCENDING ? " ASC" : " DESC")
          + (order.nullOrdering() == NullOrdering.NULLS_FIRST ? " NULLS FIRST" : " NULLS LAST");
    });
  }

  /** A value. */
  Optional<SqlValue> value(Expression expression) {
    return translated(() -> written(expression));
  }

  private interface Translation<T> {
    T write() throws Untranslatable;
  }

  /** What is written; empty when it stays with Spark. */
  private static <T> Optional<T> translated(Translation<T> translation) {
    try {
      return Optional.of(translation.write());
    } catch (Untranslatable reason) {
      return Optional.empty();
    }
  }

  private String predicate(Predicate predicate) throws Untranslatable {
    Expression[] children = predicate.children();
    String name = predicate.name();
    if (name.equals("=")) {
      Optional<String> uuid = uuid(children[0], children[1]);
      if (uuid.isPresent()) {
        return "(" + column((NamedReference) children[0]).expression() + " = " + uuid.get() + ")";
      }
    }
    if (COMPARISONS.contains(name)) {
      return comparison(name, written(children[0]), children[1]);
    }
    return switch (name) {
      case "ALWAYS_TRUE" -> "true";
      case "ALWAYS_FALSE" -> "false";
      case "AND" -> "(" + truth(children[0]) + " AND " + truth(children[1]) + ")";
      case "OR" -> "(" + truth(children[0]) + " OR " + truth(children[1]) + ")";
      case "NOT" -> "(NOT " + truth(children[0]) + ")";
      case "IS_NULL" -> "(" + known(children[0]) + " IS NULL)";
      case "IS_NOT_NULL" -> "(" + known(children[0]) + " IS NOT NULL)";
      case "<=>" -> {
        SqlValue left = ordered(written(children[0]));
        yield "(" + left.text() + " IS NOT DISTINCT FROM " + same(left, written(children[1])) + ")";
      }
      case "IN" -> membership(children);
      case "STARTS_WITH" -> "startsWith(" + texts(children) + ")";
      case "ENDS_WITH" -> "endsWith(" + texts(children) + ")";
      case "CONTAINS" -> "(position(" + texts(children) + ") > 0)";
      case "LIKE" -> like(children);
      case "CASE_WHEN" -> cases(children, DataTypes.BooleanType).text();
      case "BOOLEAN_EXPRESSION" -> truth(children[0]);
      default -> throw new Untranslatable();
    };
  }

  /** An expression whose value is true, false or null. */
  private String truth(Expression expression) throws Untranslatable {
    if (expression instanceof Predicate predicate) {
      return predicate(predicate);
    }
    return typed(expression, DataTypes.BooleanType).text();
  }

  /** Something whose being null is the question. Arrays and alike never are. */
  private String known(Expression expression) throws Untranslatable {
    if (expression instanceof NamedReference reference) {
      return column(reference).expression();
    }
    return written(expression).text();
  }

  private String comparison(String sign, SqlValue left, Expression other) throws Untranslatable {
    SqlValue right = written(other);
    if (isFloating(left.type())) {
      // NaN is a value for Spark, equal to itself and greater than all others. No literal is NaN.
      require(other instanceof Literal<?> && left.type().equals(right.type()));
      String comparison = left.text() + " " + sign + " " + right.text();
      return sign.startsWith(">")
          ? "(isNaN(" + left.text() + ") OR " + comparison + ")" : "(" + comparison + ")";
    }
    return "(" + ordered(left).text() + " " + sign + " " + same(left, right) + ")";
  }

  /** A UUID, whose text Spark compares, as such, so that the server's index can find it. */
  private Optional<String> uuid(Expression left, Expression right) throws Untranslatable {
    boolean isUuid = left instanceof NamedReference reference && column(reference).type().isUuid()
        && right instanceof Literal<?> literal && literal.value() instanceof UTF8String text
        && UUID.matcher(text.toString()).matches();
    return isUuid ? Optional.of("toUUID(" + written(right).text() + ")") : Optional.empty();
  }

  /**
   * The server converts members to the type of what they are compared with: moments lose a fraction
   * then, and decimals are refused beside integers. So both get Spark's type here.
   */
  private String membership(Expression[] children) throws Untranslatable {
    SqlValue value = ordered(written(children[0]));
    boolean isWide = false;
    if (children[0] instanceof NamedReference reference) {
      ColumnType type = column(reference).type();
      isWide = type.isUnsignedLong();
      if (!type.isTarget() && type.type().equals(DataTypes.TimestampType)) {
        value = new SqlValue(type.read(value.text()), type.type());
      }
    }
    require(children.length > 1);
    List<String> members = new ArrayList<>();
    for (int index = 1; index < children.length; index++) {
      require(children[index] instanceof Literal<?>);
      String member = same(value, written(children[index]));
      members.add(isWide ? unsigned((Literal<?>) children[index])
          : isPlain(children[index]) ? ((Literal<?>) children[index]).value().toString() : member);
    }
    return "(" + value.text() + " IN (" + String.join(", ", members) + "))";
  }

  /** Whether this is an integer that the server reads as the same one: many are read fast then. */
  private static boolean isPlain(Expression literal) {
    return INTEGER_DIGITS.containsKey(((Literal<?>) literal).dataType())
        && !((Literal<?>) literal).value().equals(Long.MIN_VALUE);
  }

  private static String unsigned(Literal<?> literal) throws Untranslatable {
    BigInteger number = ((Decimal) literal.value()).toJavaBigDecimal().toBigIntegerExact();
    require(number.signum() >= 0 && number.bitLength() <= Long.SIZE);
    return "toUInt64('" + number + "')";
  }

  /** A text that has some parts one after another, {@code %one%other%}. Bytes are compared. */
  private String like(Expression[] children) throws Untranslatable {
    String text = typed(children[0], DataTypes.StringType).text();
    require(children[1] instanceof Literal<?> literal && literal.value() instanceof UTF8String);
    String pattern = ((Literal<?>) children[1]).value().toString();
    require(pattern.matches("(?s)%([^%_\\\\\uFFFD]+%){1," + MOST_PARTS + "}"));
    List<String> conditions = new ArrayList<>();
    String start = "1";
    for (String part : pattern.substring(1).split("%")) {
      UTF8String bytes = UTF8String.fromString(part);
      String place = "position(" + text + ", " + text(bytes) + ", " + start + ")";
      conditions.add(place + " > 0");
      start = place + " + " + bytes.numBytes();
    }
    return "(" + String.join(" AND ", conditions) + ")";
  }

  /** A part of a text, by the numbers of characters. */
  private SqlValue part(Expression[] children) throws Untranslatable {
    String text = typed(children[0], DataTypes.StringType).text();
    require(children.length == 3);
    for (int index = 1; index < children.length; index++) {
      require(children[index] instanceof Literal<?> literal
          && literal.value() instanceof Integer number && number >= 2 - index);
    }
    return new SqlValue("substringUTF8(" + text + ", " + ((Literal<?>) children[1]).value() + ", "
        + ((Literal<?>) children[2]).value() + ")", DataTypes.StringType);
  }

  private SqlValue typed(Expression expression, DataType type) throws Untranslatable {
    SqlValue value = written(expression);
    require(value.type().equals(type));
    return value;
  }

  private String texts(Expression[] children) throws Untranslatable {
    SqlValue text = typed(children[0], DataTypes.StringType);
    return text.text() + ", " + same(text, written(children[1]));
  }

  /** The text of a value that has the type of another one. */
  private static String same(SqlValue one, SqlValue other) throws Untranslatable {
    require(one.type().equals(other.type()));
    return other.text();
  }

  /** A value of a type that the server compares, sorts and groups as Spark does. */
  private static SqlValue ordered(SqlValue value) throws Untranslatable {
    require(!isFloating(value.type()) && ColumnType.target(value.type()) != null);
    return value;
  }

  private SqlValue written(Expression expression) throws Untranslatable {
    if (expression instanceof NamedReference reference) {
      TableColumn column = column(reference);
      require(ColumnType.target(column.type().type()) != null);
      return new SqlValue(column.type().comparable(column.expression()), column.type().type());
    }
    if (expression instanceof Literal<?> literal) {
      return literal(literal.value(), literal.dataType());
    }
    if (expression instanceof Cast cast) {
      return converted(written(cast.expression()), cast.dataType());
    }
    if (expression instanceof Extract extract) {
      SqlValue date = written(extract.source());
      String function = DATE_PARTS.get(extract.field());
      require(function != null && date.type().equals(DataTypes.DateType));
      return new SqlValue("toInt32(" + function + "(" + date.text() + "))", DataTypes.IntegerType);
    }
    if (expression instanceof Predicate predicate) {
      return new SqlValue(predicate(predicate), DataTypes.BooleanType);
    }
    if (expression instanceof GeneralScalarExpression general) {
      Expression[] children = general.children();
      return switch (general.name()) {
        case "+", "-", "*" -> {
          require(children.length == 2);
          yield arithmetic(general.name(), written(children[0]), written(children[1]));
        }
        case "CASE_WHEN" -> cases(children, null);
        case "SUBSTRING" -> part(children);
        case "COALESCE" -> {
          require(!mayFail || cannotFail(children));
          List<String> values = new ArrayList<>();
          DataType type = written(children[0]).type();
          for (Expression child : children) {
            values.add(nullable(child, type));
          }
          yield new SqlValue("coalesce(" + String.join(", ", values) + ")", type);
        }
        default -> throw new Untranslatable();
      };
    }
    throw new Untranslatable();
  }

  private TableColumn column(NamedReference reference) throws Untranslatable {
    require(reference.fieldNames().length == 1);
    TableColumn column = columns.get(reference.fieldNames()[0]);
    require(column != null);
    return column;
  }

  /** Conditions and values in turn, and a value for when none holds, if there is one. */
  private SqlValue cases(Expression[] children, DataType wanted) throws Untranslatable {
    require(!mayFail || cannotFail(children));
    DataType type = wanted == null ? written(children[1]).type() : wanted;
    List<String> parts = new ArrayList<>();
    for (int index = 0; index + 1 < children.length; index += 2) {
      parts.add(truth(children[index]));
      parts.add(nullable(children[index + 1], type));
    }
    parts.add(children.length % 2 == 1 ? nullable(children[children.length - 1], type) : "NULL");
    return new SqlValue("multiIf(" + String.join(", ", parts) + ")", type);
  }

  /** Whether these can be written without anything that fails, since not all are evaluated. */
  private boolean cannotFail(Expression[] expressions) {
    mayFail = false;
    try {
      for (Expression expression : expressions) {
        written(expression);
      }
      return true;
    } catch (Untranslatable reason) {
      return false;
    } finally {
      mayFail = true;
    }
  }

  private String nullable(Expression expression, DataType type) throws Untranslatable {
    SqlValue value = ordered(written(expression));
    require(value.type().equals(type));
    return ColumnType.cast(value.text(), "Nullable(" + ColumnType.target(type) + ")");
  }

  /** Decimals whose result has room for all of its digits, or for all decimals at least. */
  private SqlValue arithmetic(String sign, SqlValue left, SqlValue right) throws Untranslatable {
    require(left.type() instanceof DecimalType && right.type() instanceof DecimalType);
    DecimalType one = (DecimalType) left.type();
    DecimalType other = (DecimalType) right.type();
    int scale = sign.equals("*")
        ? one.scale() + other.scale() : Math.max(one.scale(), other.scale());
    int digits = sign.equals("*")
        ? one.precision() + other.precision() + 1
        : Math.max(one.precision() - one.scale(), other.precision() - other.scale()) + scale + 1;
    if (digits > MOST_DIGITS) {
      return checked(sign, left, one.scale(), right, other.scale(), scale);
    }
    String text = "(" + decimal(left, digits, one.scale()) + " " + sign + " "
        + decimal(right, digits, other.scale()) + ")";
    return new SqlValue(text, DataTypes.createDecimalType(digits, scale));
  }

  /** A result with as many decimals as Spark gives it, and an error where it has too many digits. */
  private SqlValue checked(
      String sign, SqlValue left, int leftScale, SqlValue right, int rightScale, int scale)
      throws Untranslatable {
    require(mayFail && ansi && scale <= KEPT_SCALE);
    String result = "(toDecimal256(" + left.text() + ", " + leftScale + ") " + sign
        + " toDecimal256(" + right.text() + ", " + rightScale + "))";
    require(result.length() <= LONGEST_CHECKED);
    String limit = ColumnType.cast(
        "'1" + "0".repeat(MOST_DIGITS - scale) + "'", "Decimal(76, " + scale + ")");
    String text = "(" + result + " + toDecimal256(throwIf(coalesce(abs(" + result + ") >= " + limit
        + ", false), 'A decimal has more than 38 digits'), 0))";
    return new SqlValue(text, DataTypes.createDecimalType(MOST_DIGITS, scale));
  }

  private static String decimal(SqlValue value, int digits, int scale) {
    String function = digits <= NARROW_DIGITS ? "toDecimal64" : "toDecimal128";
    return function + "(" + value.text() + ", " + scale + ")";
  }

  /** Conversions that lose nothing. */
  private static SqlValue converted(SqlValue value, DataType to) throws Untranslatable {
    DataType from = value.type();
    Integer digits = INTEGER_DIGITS.get(from);
    if (from.equals(to)) {
      return value;
    }
    if (to instanceof DecimalType wide) {
      int places = wide.precision() - wide.scale();
      if (from instanceof DecimalType narrow) {
        require(wide.scale() >= narrow.scale() && places >= narrow.precision() - narrow.scale());
      } else {
        require(digits != null && places >= digits);
      }
      return new SqlValue("toDecimal128(" + value.text() + ", " + wide.scale() + ")", to);
    }
    if (digits != null && INTEGER_DIGITS.containsKey(to)) {
      require(INTEGER_DIGITS.get(to) > digits);
      return new SqlValue(value.text(), to);
    }
    require(to.equals(DataTypes.DoubleType) && (digits != null || isFloating(from)));
    return new SqlValue("toFloat64(" + value.text() + ")", to);
  }

  /** Aggregates are of rows that have passed all conditions, so what fails for one fails in Spark. */
  private SqlValue aggregated(AggregateFunc function) throws Untranslatable {
    mayFail = true;
    try {
      return aggregatedRows(function);
    } finally {
      mayFail = false;
    }
  }

  private SqlValue aggregatedRows(AggregateFunc function) throws Untranslatable {
    if (function instanceof CountStar) {
      return new SqlValue("toInt64(count())", DataTypes.LongType);
    }
    if (function instanceof Count count) {
      String text = count.isDistinct()
          ? "uniqExact(" + ordered(written(count.column())).text() + ")"
          : "count(" + known(count.column()) + ")";
      return new SqlValue("toInt64(" + text + ")", DataTypes.LongType);
    }
    if (function instanceof Min min) {
      return extreme("minOrNull", min.column());
    }
    if (function instanceof Max max) {
      return extreme("maxOrNull", max.column());
    }
    if (function instanceof Sum sum) {
      require(!sum.isDistinct());
      return sum(written(sum.column()));
    }
    if (function instanceof Avg average) {
      SqlValue value = written(average.column());
      require(!average.isDistinct());
      if (value.type() instanceof DecimalType decimal) {
        return average(value.text(), decimal);
      }
      require(INTEGER_DIGITS.containsKey(value.type()) || isFloating(value.type()));
      return new SqlValue("avgOrNull(toFloat64(" + value.text() + "))", DataTypes.DoubleType);
    }
    throw new Untranslatable();
  }

  /**
   * The sum by the count, half up. Spark divides with 38 decimals and rounds that; so few decimals
   * are wanted here that it makes no difference. Those of few digits it computes with floats.
   */
  private static SqlValue average(String text, DecimalType type) throws Untranslatable {
    int scale = type.scale() + AVERAGE_DECIMALS;
    require(type.precision() + AVERAGE_DECIMALS > FLOAT_DIGITS
        && type.precision() + SUM_DIGITS <= MOST_DIGITS && scale <= MOST_AVERAGE_DECIMALS);
    String sum = "toInt256(toDecimal256(sumOrNull(" + summand(text, type) + "), "
        + type.scale() + ") * toInt256('1" + "0".repeat(scale) + "'))";
    String count = "toInt256(greatest(count(" + text + "), 1))";
    String quotient = "sign(" + sum + ") * intDiv(2 * abs(" + sum + ") + " + count + ", 2 * " + count + ")";
    return new SqlValue(
        "(toDecimal256(" + quotient + ", " + scale + ") / toInt256('1" + "0".repeat(scale) + "'))",
        DataTypes.createDecimalType(type.precision() + AVERAGE_DECIMALS, scale));
  }

  private SqlValue extreme(String function, Expression column) throws Untranslatable {
    SqlValue value = ordered(written(column));
    return new SqlValue(function + "(" + value.text() + ")", value.type());
  }

  /** What can be added up in 128 bits, as the server does with decimals; others can be integers there. */
  private static String summand(String text, DecimalType type) {
    return type.scale() > 0 ? text : "toDecimal128(" + text + ", 0)";
  }

  /** Sums that overflow where Spark's do, with an error as there. */
  private SqlValue sum(SqlValue value) throws Untranslatable {
    if (value.type() instanceof DecimalType decimal) {
      int digits = Math.min(decimal.precision() + SUM_DIGITS, MOST_DIGITS);
      DecimalType type = DataTypes.createDecimalType(digits, decimal.scale());
      boolean hasRoom = digits == decimal.precision() + SUM_DIGITS;
      require(hasRoom || ansi);
      String summand = hasRoom ? summand(value.text(), decimal)
          : "toDecimal256(" + value.text() + ", " + decimal.scale() + ")";
      return new SqlValue("sumOrNull(" + summand + ")", type);
    }
    if (isFloating(value.type())) {
      return new SqlValue("sumOrNull(toFloat64(" + value.text() + "))", DataTypes.DoubleType);
    }
    require(INTEGER_DIGITS.containsKey(value.type()));
    if (value.type().equals(DataTypes.LongType) && ansi) {
      return new SqlValue(
          "accurateCast(sumOrNull(toInt128(" + value.text() + ")), 'Nullable(Int64)')",
          DataTypes.LongType);
    }
    return new SqlValue("sumOrNull(toInt64(" + value.text() + "))", DataTypes.LongType);
  }

  private static SqlValue literal(Object value, DataType type) throws Untranslatable {
    require(value != null);
    return new SqlValue(literalText(value, type), type);
  }

  private static String literalText(Object value, DataType type) throws Untranslatable {
    if (type instanceof DecimalType decimal && value instanceof Decimal number) {
      return ColumnType.cast("'" + number.toJavaBigDecimal().toPlainString() + "'",
          "Decimal(" + decimal.precision() + ", " + decimal.scale() + ")");
    }
    if (INTEGER_DIGITS.containsKey(type)) {
      return "to" + ColumnType.target(type) + "(" + (value.equals(Long.MIN_VALUE)
          ? "'" + value + "'" : value) + ")";
    }
    return switch (type.typeName()) {
      case "boolean" -> value.toString();
      case "float" -> "toFloat32(" + floating(((Float) value).doubleValue()) + ")";
      case "double" -> "toFloat64(" + floating((Double) value) + ")";
      case "date" -> {
        int day = (Integer) value;
        require(day >= FIRST_DAY && day <= LAST_DAY);
        yield "CAST(toInt32(" + day + ") AS Date32)";
      }
      case "timestamp" -> {
        long micros = (Long) value;
        require(micros >= FIRST_DAY * MICROS_PER_DAY && micros < (LAST_DAY + 1) * MICROS_PER_DAY);
        yield "fromUnixTimestamp64Micro(" + micros + ", 'UTC')";
      }
      case "string" -> {
        require(type.equals(DataTypes.StringType));
        yield text((UTF8String) value);
      }
      default -> throw new Untranslatable();
    };
  }

  private static String floating(double value) throws Untranslatable {
    require(!Double.isNaN(value));
    return Double.isInfinite(value) ? (value > 0 ? "inf" : "-inf") : Double.toString(value);
  }

  /** A text in quotes, whatever its bytes are. */
  private static String text(UTF8String value) {
    StringBuilder text = new StringBuilder("'");
    for (byte each : value.getBytes()) {
      if (each == '\'' || each == '\\') {
        text.append('\\').append((char) each);
      } else if (each >= ' ' && each < 0x7f) {
        text.append((char) each);
      } else {
        text.append(String.format("\\x%02X", each));
      }
    }
    return text.append('\'').toString();
  }

  private static boolean isFloating(DataType type) {
    return type.equals(DataTypes.FloatType) || type.equals(DataTypes.DoubleType);
  }
}
