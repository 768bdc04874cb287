package magic.spark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;

/**
 * A state of the copy that stays readable for a while.
 *
 * @param url the server that keeps it
 * @param id its name there
 * @param commit the number of its commit point; -1 when it is not known
 */
record PinnedSnapshot(String url, String id, long commit) {
  /** How long a lasting one stays without being used. */
  private static final Duration LASTING = Duration.ofDays(1);

  /** Has the server keep the newest state, for as long as it is used now and then. */
  static PinnedSnapshot open(MagicClient client, ConnectionOptions options) {
    return open(client, MagicClient.object()
        .put("lifetime", options.snapshotLifetime().toMillis() / 1000.0));
  }

  /** Has the server keep the newest state of a table for a day, also when it is started again. */
  static PinnedSnapshot openLasting(MagicClient client, MagicTable table) {
    ObjectNode request = MagicClient.object()
        .put("lifetime", LASTING.toSeconds()).put("lasting", true);
    request.putArray("tables").addObject()
        .put("database", table.database()).put("table", table.table());
    return open(client, request);
  }

  private static PinnedSnapshot open(MagicClient client, ObjectNode request) {
    MagicClient.Answer answer = client.call("snapshots/open", request);
    return new PinnedSnapshot(answer.url(), answer.json().path("id").asText(),
        answer.json().path("commit").asLong(-1));
  }
}
