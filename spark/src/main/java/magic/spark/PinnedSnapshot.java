package magic.spark;

/**
 * A state of the copy that stays readable for a while.
 *
 * @param url the server that keeps it
 * @param id its name there
 */
record PinnedSnapshot(String url, String id) {}
