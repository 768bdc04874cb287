package magic.spark;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.vector.DecimalVector;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.vectorized.ArrowColumnVector;

/** Decimals of up to 18 digits, which are read as 64-bit integers and not as objects. */
final class NarrowDecimalVector extends ArrowColumnVector {
  private final ArrowBuf data;

  NarrowDecimalVector(DecimalVector vector) {
    super(vector);
    data = vector.getDataBuffer();
  }

  @Override
  public Decimal getDecimal(int row, int precision, int scale) {
    return isNullAt(row) ? null
        : Decimal.createUnsafe(data.getLong((long) row * DecimalVector.TYPE_WIDTH), precision, scale);
  }
}
