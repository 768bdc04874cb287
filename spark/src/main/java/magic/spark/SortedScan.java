package magic.spark;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.connector.expressions.SortOrder;
import org.apache.spark.sql.connector.read.SupportsReportOrdering;
import org.apache.spark.sql.types.StructType;

/** A scan of rows that the server has sorted, which one task reads. */
final class SortedScan extends MagicScan implements SupportsReportOrdering {
  private final List<SortOrder> order;

  /** @param order that of the rows, as far as columns tell it that are read */
  SortedScan(
      StructType schema,
      ScanStatement statement,
      ConnectionOptions options,
      QuerySnapshots snapshots,
      PinnedSnapshot snapshot,
      List<SortOrder> order) {
    super(schema, statement, false, options, snapshots, snapshot, Optional.empty());
    this.order = order;
  }

  @Override
  public SortOrder[] outputOrdering() {
    return order.toArray(SortOrder[]::new);
  }
}
