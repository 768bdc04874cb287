package magic.spark;

import org.apache.spark.sql.types.DataType;

/**
 * An expression in the server's SQL.
 *
 * @param text the expression; it compares as what Spark has
 * @param type what Spark has
 */
record SqlValue(String text, DataType type) {}
