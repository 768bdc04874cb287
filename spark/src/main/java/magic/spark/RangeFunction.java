package magic.spark;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.catalog.functions.BoundFunction;
import org.apache.spark.sql.connector.catalog.functions.ScalarFunction;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Tells which part of a table a key is in: the number of bounds that it has reached. By it Spark knows
 * that rows of one key are in one part, and that parts of two tables with the same bounds go together.
 */
final class RangeFunction implements UnboundFunction, ScalarFunction<Integer> {
  /** The types that keys can have. */
  static final Set<DataType> TYPES = Set.of(
      DataTypes.ByteType, DataTypes.ShortType, DataTypes.IntegerType, DataTypes.LongType);
  private static final long serialVersionUID = 1;
  private static final String PREFIX = "range_";
  private static final Pattern NAME = Pattern.compile(PREFIX + "-?\\d{1,19}(_-?\\d{1,19})*");

  private final long[] bounds;
  private final DataType type;

  /** @param bounds the first keys of all parts but the first one, in their order */
  private RangeFunction(long[] bounds, DataType type) {
    this.bounds = bounds;
    this.type = type;
  }

  /** The name of the function that has these bounds. */
  static String name(List<Long> bounds) {
    return PREFIX + bounds.stream().map(Objects::toString).collect(Collectors.joining("_"));
  }

  /** The function that has this name. */
  static Optional<RangeFunction> named(String name) {
    if (!NAME.matcher(name).matches()) {
      return Optional.empty();
    }
    try {
      long[] bounds = Arrays.stream(name.substring(PREFIX.length()).split("_"))
          .mapToLong(Long::parseLong).toArray();
      return Optional.of(new RangeFunction(bounds, DataTypes.LongType));
    } catch (NumberFormatException tooLarge) {
      return Optional.empty();
    }
  }

  @Override
  public String name() {
    return name(LongStream.of(bounds).boxed().toList());
  }

  @Override
  public String canonicalName() {
    return "magic." + name();
  }

  @Override
  public String description() {
    return name() + "(integer): the number of bounds that are not greater";
  }

  @Override
  public BoundFunction bind(StructType input) {
    if (input.size() != 1 || !TYPES.contains(input.fields()[0].dataType())) {
      throw new UnsupportedOperationException(name() + " takes one integer");
    }
    return new RangeFunction(bounds, input.fields()[0].dataType());
  }

  @Override
  public DataType[] inputTypes() {
    return new DataType[] {type};
  }

  @Override
  public DataType resultType() {
    return DataTypes.IntegerType;
  }

  @Override
  public Integer produceResult(InternalRow input) {
    if (input.isNullAt(0)) {
      return null;
    }
    return place(bounds, ((Number) input.get(0, type)).longValue());
  }

  /** The number of bounds that a value has reached. */
  static int place(long[] bounds, long value) {
    int place = Arrays.binarySearch(bounds, value);
    return place < 0 ? -place - 1 : place + 1;
  }
}
