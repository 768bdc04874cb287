package magic.spark;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Where rows go, and what is done with them there.
 *
 * @param database the table's database
 * @param table its name there
 * @param action {@code insert}, or {@code delete} for rows of which only the key is given
 * @param mode what becomes of the table, as the server names it
 * @param key the columns of the key of a table that is made
 * @param transaction what collects the rows
 */
record RowTarget(
    String database, String table, String action, String mode, List<String> key,
    String transaction) {

  /** Rows that are added to a table. */
  static RowTarget insert(String database, String table, String transaction) {
    return new RowTarget(database, table, "insert", "append", List.of(), transaction);
  }

  /** Keys of rows that go. */
  static RowTarget delete(String database, String table, String transaction) {
    return new RowTarget(database, table, "delete", "append", List.of(), transaction);
  }

  /** The same for a table that is replaced, or made. */
  RowTarget as(String mode, List<String> key) {
    return new RowTarget(database, table, action, mode, key, transaction);
  }

  /** The parameters of the request. */
  String parameters() {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("database", database);
    parameters.put("table", table);
    parameters.put("action", action);
    parameters.put("mode", mode);
    parameters.put("transaction", transaction);
    if (!key.isEmpty()) {
      parameters.put("key", MagicClient.array(key).toString());
    }
    return parameters.entrySet().stream()
        .map(each -> each.getKey() + "=" + encoded(each.getValue()))
        .collect(Collectors.joining("&"));
  }

  /** What errors say that was asked. */
  @Override
  public String toString() {
    return "write (" + mode + ", " + action + ") into " + TableStatements.name(database, table);
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }
}
