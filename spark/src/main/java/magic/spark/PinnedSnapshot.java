package magic.spark;

/**
 * A state of the copy that stays readable for a while.
 *
 * @param url the server that keeps it
 * @param id its name there
 * @param commit the number of its commit point; -1 when it is not known
 */
record PinnedSnapshot(String url, String id, long commit) {}
