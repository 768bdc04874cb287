package magic.spark;

import org.apache.spark.sql.connector.read.InputPartition;

/**
 * A part of a scan: whoever reads it, and how often, gets the same rows. In the driver it holds the
 * snapshot, which is released when neither a plan nor its parts are left.
 */
final class MagicPartition implements InputPartition {
  private static final long serialVersionUID = 1;

  private final transient PinnedSnapshot held;
  private final String url;
  private final String snapshot;
  private final String statement;

  MagicPartition(PinnedSnapshot held, String statement) {
    this.held = held;
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
}
