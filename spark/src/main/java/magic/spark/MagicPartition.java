package magic.spark;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.read.HasPartitionKey;

/**
 * A part of a scan: whoever reads it, and how often, gets the same rows. In the driver it holds the
 * snapshot, which is released when neither a plan nor its parts are left.
 */
final class MagicPartition implements HasPartitionKey {
  private static final long serialVersionUID = 1;

  private final transient PinnedSnapshot held;
  private final String url;
  private final String snapshot;
  private final String statement;
  private final int number;

  /** @param number of the part among all of the scan */
  MagicPartition(PinnedSnapshot held, String statement, int number) {
    this.held = held;
    this.number = number;
    this.url = held.url();
    this.snapshot = held.id();
    this.statement = statement;
  }

  /** The server. */
  String url() {
    return url;
  }

  /** The name of the state that is read. */
  String snapshot() {
    return snapshot;
  }

  /** What is read of it. */
  String statement() {
    return statement;
  }

  /** What {@link RangeFunction} gives for its rows, if the scan is divided by one. */
  @Override
  public InternalRow partitionKey() {
    return new GenericInternalRow(new Object[] {number});
  }
}
