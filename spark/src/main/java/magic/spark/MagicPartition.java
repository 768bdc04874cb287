package magic.spark;

import org.apache.spark.sql.connector.read.InputPartition;

/**
 * A part of a scan: whoever reads it, and how often, gets the same rows.
 *
 * @param url the server
 * @param snapshot the state that is read
 * @param statement what is read of it
 */
record MagicPartition(String url, String snapshot, String statement) implements InputPartition {}
