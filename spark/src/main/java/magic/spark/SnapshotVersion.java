package magic.spark;

import java.io.Serializable;

/**
 * A state of one table, or of all, by the name of the snapshot that keeps it.
 *
 * @param url the server that keeps it
 * @param id the snapshot's name
 * @param commit the number of its commit point
 * @param micros when it was looked at, in microseconds since 1970
 */
record SnapshotVersion(String url, String id, long commit, long micros) implements Serializable {
  /** The state that a snapshot keeps, which is looked at now. */
  static SnapshotVersion of(PinnedSnapshot snapshot) {
    return new SnapshotVersion(snapshot.url(), snapshot.id(), snapshot.commit(),
        System.currentTimeMillis() * 1000);
  }

  /** The state that a snapshot of this name keeps. */
  static SnapshotVersion of(MagicClient client, String id) {
    String url = client.url();
    long commit = client.call(url, "snapshots/renew", MagicClient.object().put("snapshot", id))
        .path("commit").asLong();
    return of(new PinnedSnapshot(url, id, commit));
  }

  /** The newest state of a table, which stays when the server is started again, too. */
  static SnapshotVersion newest(MagicClient client, MagicTable table) {
    return of(PinnedSnapshot.openLasting(client, table));
  }
}
