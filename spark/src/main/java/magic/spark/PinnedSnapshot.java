package magic.spark;

/**
 * A state of the copy that stays readable for a while.
 *
 * @param url the server that keeps it
 * @param id its name there
 * @param commit the number of its commit point; -1 when it is not known
 */
record PinnedSnapshot(String url, String id, long commit) {
  /** Has the server keep the newest state, for as long as it is used now and then. */
  static PinnedSnapshot open(MagicClient client, ConnectionOptions options) {
    MagicClient.Answer answer = client.call("snapshots/open", MagicClient.object()
        .put("lifetime", options.snapshotLifetime().toMillis() / 1000.0));
    return new PinnedSnapshot(answer.url(), answer.json().path("id").asText(),
        answer.json().path("commit").asLong(-1));
  }
}
