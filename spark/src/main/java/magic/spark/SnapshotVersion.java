package magic.spark;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serializable;

/**
 * A state of all tables, by the name of the snapshot that keeps it.
 *
 * @param url the server that keeps it
 * @param id the snapshot's name
 * @param commit the number of its commit point
 * @param micros when it was looked at, in microseconds since 1970
 */
record SnapshotVersion(String url, String id, long commit, long micros) implements Serializable {
  /** The state that a snapshot keeps. */
  static SnapshotVersion of(MagicClient client, String id) {
    String url = client.url();
    return of(url, client.call(url, "snapshots/renew", MagicClient.object().put("snapshot", id)));
  }

  /** The newest state, which stays for a while. */
  static SnapshotVersion newest(MagicClient client, ConnectionOptions options) {
    MagicClient.Answer answer = client.call("snapshots/open", MagicClient.object()
        .put("lifetime", options.snapshotLifetime().toMillis() / 1000.0));
    return of(answer.url(), answer.json());
  }

  private static SnapshotVersion of(String url, JsonNode json) {
    return new SnapshotVersion(url, json.path("id").asText(), json.path("commit").asLong(),
        System.currentTimeMillis() * 1000);
  }
}
