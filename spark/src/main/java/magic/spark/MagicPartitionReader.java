package magic.spark;

import java.io.IOException;
import java.util.List;
import org.apache.arrow.vector.DecimalVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.vectorized.ArrowColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatch;

/** Reads one part of a scan. Each batch has vectors of its own, see {@link TaskBatches}. */
final class MagicPartitionReader implements PartitionReader<ColumnarBatch> {
  private final MagicPartition partition;
  private final ConnectionOptions options;
  private final StructType schema;
  private final TaskBatches given = TaskBatches.ofTask();
  private ArrowBatches batches;
  private ColumnarBatch current;

  MagicPartitionReader(MagicPartition partition, ConnectionOptions options, StructType schema) {
    this.partition = partition;
    this.options = options;
    this.schema = schema;
  }

  @Override
  public boolean next() throws IOException {
    if (batches == null) {
      batches = MagicClient.of(options).query(partition.url(), partition.statement(),
          partition.snapshot(), options.batchRows(), given.allocator());
    }
    VectorSchemaRoot root = batches.next();
    if (root == null) {
      return false;
    }
    current = batch(root);
    given.add(current);
    return true;
  }

  @Override
  public ColumnarBatch get() {
    return current;
  }

  @Override
  public void close() throws IOException {
    if (batches != null) {
      batches.close();
      batches = null;
    }
  }

  private ColumnarBatch batch(VectorSchemaRoot root) {
    List<FieldVector> vectors = root.getFieldVectors();
    if (schema.isEmpty()) {
      int rows = root.getRowCount();
      root.close();
      return new ColumnarBatch(new ColumnVector[0], rows);
    }
    ColumnVector[] columns = new ColumnVector[schema.length()];
    for (int index = 0; index < columns.length; index++) {
      FieldVector vector = vectors.get(index);
      DataType wanted = schema.fields()[index].dataType();
      DataType received = ArrowUtils.fromArrowField(vector.getField());
      if (!received.catalogString().equals(wanted.catalogString())) {
        root.close();
        throw new IllegalStateException("The Magic server " + partition.url() + " gave column "
            + schema.fieldNames()[index] + " as " + received.catalogString() + " instead of "
            + wanted.catalogString() + ". The table has changed: make the DataFrame anew."
            + "\nThe statement was: " + partition.statement());
      }
      columns[index] = vector instanceof DecimalVector decimals
          && decimals.getPrecision() <= Decimal.MAX_LONG_DIGITS()
          ? new NarrowDecimalVector(decimals) : new ArrowColumnVector(vector);
    }
    return new ColumnarBatch(columns, root.getRowCount());
  }
}
