package magic.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/**
 * A part of a table, between two keys.
 *
 * @param key the key's expressions
 * @param lower the first key that it has, as literals; empty for no bound
 * @param upper the first key that it does not have any more
 * @param rowCount about how many rows it has
 */
record KeyRange(List<String> key, List<String> lower, List<String> upper, long rowCount) {
  /** A range in the form in which the server gives it. */
  static KeyRange of(JsonNode json) {
    return new KeyRange(texts(json.path("key")), texts(json.path("lower")),
        texts(json.path("upper")), json.path("rowCount").asLong());
  }

  /** How many ranges the server makes at most. */
  private static final long MOST_RANGES = 10_000;

  /**
   * Ranges of about equal size that together have all rows of a table, at a snapshot.
   *
   * @param mostRows how many rows one has at most, about
   */
  static List<KeyRange> of(MagicTable table, ConnectionOptions options, String url,
      String snapshot, long mostRows) {
    int count = options.splits() > 0
        ? options.splits() : SparkSession.active().sparkContext().defaultParallelism();
    List<KeyRange> ranges = divided(table, options, url, snapshot, count);
    long wanted = Math.min(rowCount(ranges) / mostRows + 1, MOST_RANGES);
    return wanted <= count ? ranges : divided(table, options, url, snapshot, (int) wanted);
  }

  /** About so many such ranges. */
  static List<KeyRange> divided(
      MagicTable table, ConnectionOptions options, String url, String snapshot, int count) {
    ObjectNode request = MagicClient.object().put("count", count).put("snapshot", snapshot);
    request.putObject("table").put("database", table.database()).put("table", table.table());
    List<KeyRange> ranges = new ArrayList<>();
    MagicClient.of(options).call(url, "split", request).path("ranges")
        .forEach(range -> ranges.add(of(range)));
    return ranges;
  }

  /** About how many rows ranges have together. */
  static long rowCount(List<KeyRange> ranges) {
    return ranges.stream().mapToLong(KeyRange::rowCount).sum();
  }

  /**
   * The ranges before, between and after bounds.
   *
   * @param key the expression that they are bounds of
   * @param rows about how many rows they have together
   */
  static List<KeyRange> between(List<String> key, List<String> bounds, long rows) {
    List<KeyRange> ranges = new ArrayList<>();
    for (int index = 0; index <= bounds.size(); index++) {
      ranges.add(new KeyRange(key,
          index == 0 ? List.of() : List.of(bounds.get(index - 1)),
          index == bounds.size() ? List.of() : List.of(bounds.get(index)),
          rows / (bounds.size() + 1)));
    }
    return ranges;
  }

  /** The range from the beginning of one to the end of another. */
  KeyRange to(KeyRange last) {
    return new KeyRange(key, lower, last.upper, rowCount + last.rowCount);
  }

  /** Joins neighbours until each range has at least about so many rows. */
  static List<KeyRange> joined(List<KeyRange> ranges, long rows) {
    List<KeyRange> result = new ArrayList<>();
    for (KeyRange range : ranges) {
      int last = result.size() - 1;
      if (last >= 0 && result.get(last).rowCount < rows) {
        result.set(last, result.get(last).to(range));
      } else {
        result.add(range);
      }
    }
    return result;
  }

  /** The conditions of its bounds in SQL. */
  List<String> conditions() {
    List<String> conditions = new ArrayList<>();
    if (!lower.isEmpty()) {
      conditions.add(condition(lower, " > ", " >= "));
    }
    if (!upper.isEmpty()) {
      conditions.add(condition(upper, " < ", " < "));
    }
    return conditions;
  }

  /** Compares one expression after another: the index does not help to compare tuples. */
  private String condition(List<String> bound, String sign, String lastSign) {
    String result = null;
    for (int index = bound.size() - 1; index >= 0; index--) {
      String expression = key.get(index);
      String value = bound.get(index);
      result = result == null
          ? "(" + expression + lastSign + value + ")"
          : "(" + expression + sign + value + " OR (" + expression + " = " + value + " AND "
              + result + "))";
    }
    return result;
  }

  private static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(each -> texts.add(each.asText()));
    return texts;
  }
}
