package magic.spark;

import java.io.Serializable;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.network.util.JavaUtils;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * How a catalog reaches its server and reads from it. Executors receive it together with their part
 * of a scan.
 *
 * @param urls where the server is; the first that answers is taken
 * @param user null where the server has no users
 * @param password the user's
 * @param token goes before user and password
 * @param certificate a file of certificates that the server's is trusted by; null for Java's own
 * @param connectTimeout for a connection to be made
 * @param readTimeout for the server to send the next part of an answer
 * @param retries how often a request that has not been answered is repeated
 * @param splits into how many ranges a table is divided; 0 for one for each of Spark's cores
 * @param splitRows a range has at least about as many rows
 * @param batchRows a columnar batch has at most as many rows
 * @param snapshotLifetime after how long without use the server forgets a snapshot
 * @param pushDown whether the server evaluates filters, aggregates, sorting and limits
 * @param pushQueries whether it also evaluates what Spark's interface for data sources has no form for
 */
record ConnectionOptions(
    List<String> urls,
    String user,
    String password,
    String token,
    String certificate,
    Duration connectTimeout,
    Duration readTimeout,
    int retries,
    int splits,
    long splitRows,
    int batchRows,
    Duration snapshotLifetime,
    boolean pushDown,
    boolean pushQueries)
    implements Serializable {

  private static final Set<String> NAMES =
      Set.of("url", "user", "password", "token", "certificate", "connecttimeout", "readtimeout",
          "retries", "splits", "splitrows", "batchrows", "snapshotlifetime", "pushdown",
          "pushqueries");

  /** What a read or a write may have otherwise than its catalog. */
  private static final Set<String> DYNAMIC =
      Set.of("splits", "splitrows", "batchrows", "pushdown", "pushqueries");

  /**
   * These options with those of one read or write.
   *
   * @throws IllegalArgumentException for one that is for catalogs only, or for nothing
   */
  ConnectionOptions with(CaseInsensitiveStringMap given) {
    TreeSet<String> unknown = new TreeSet<>(given.keySet());
    unknown.removeAll(DYNAMIC);
    // Spark's own, which it hands on to what a stream writes to.
    unknown.remove("checkpointlocation");
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException("A read or write has no option " + unknown.first()
          + "; there are " + new TreeSet<>(DYNAMIC));
    }
    return new ConnectionOptions(urls, user, password, token, certificate, connectTimeout,
        readTimeout, retries,
        (int) number("", given, "splits", splits, 0),
        number("", given, "splitRows", splitRows, 1),
        (int) number("", given, "batchRows", batchRows, 1),
        snapshotLifetime, given.getBoolean("pushDown", pushDown),
        given.getBoolean("pushQueries", pushQueries));
  }

  /** What concerns the connection only. */
  ConnectionOptions connection() {
    return new ConnectionOptions(urls, user, password, token, certificate, connectTimeout,
        readTimeout, retries, 0, 1, 1, Duration.ZERO, true, true);
  }

  /** The options of a catalog, from Spark's configuration and, for who asks, the environment. */
  static ConnectionOptions of(String catalog, CaseInsensitiveStringMap options) {
    String prefix = "spark.sql.catalog." + catalog + ".";
    TreeSet<String> unknown = new TreeSet<>(options.keySet());
    unknown.removeAll(NAMES);
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          "There is no option " + prefix + unknown.first() + "; there are " + new TreeSet<>(NAMES));
    }
    return new ConnectionOptions(
        urls(prefix, text(options, "url", "MAGIC_URL", "http://127.0.0.1:8123")),
        text(options, "user", "MAGIC_USER", null),
        text(options, "password", "MAGIC_PASSWORD", null),
        text(options, "token", "MAGIC_TOKEN", null),
        options.get("certificate"),
        duration(options, "connectTimeout", "10s"),
        duration(options, "readTimeout", "10m"),
        (int) number(prefix, options, "retries", 3, 0),
        (int) number(prefix, options, "splits", 0, 0),
        number(prefix, options, "splitRows", 100_000, 1),
        (int) number(prefix, options, "batchRows", 65_536, 1),
        duration(options, "snapshotLifetime", "10m"),
        options.getBoolean("pushDown", true),
        options.getBoolean("pushQueries", true));
  }

  /** Says where, and not the secrets. */
  @Override
  public String toString() {
    return String.join(",", urls);
  }

  private static List<String> urls(String prefix, String text) {
    List<String> urls =
        Arrays.stream(text.split(","))
            .map(url -> url.strip().replaceAll("/+$", ""))
            .filter(url -> !url.isEmpty())
            .toList();
    for (String url : urls) {
      if (!url.matches("https?://[^/?#@]+")) {
        throw new IllegalArgumentException(
            prefix + "url is " + url + ", but must be like http://host:8123 or https://host:8123");
      }
    }
    if (urls.isEmpty()) {
      throw new IllegalArgumentException(prefix + "url names no server");
    }
    return urls;
  }

  private static String text(
      CaseInsensitiveStringMap options, String name, String variable, String standard) {
    String value = options.getOrDefault(name, System.getenv(variable));
    return value == null || value.isEmpty() ? standard : value;
  }

  private static Duration duration(CaseInsensitiveStringMap options, String name, String standard) {
    return Duration.ofMillis(
        Math.max(1, 1000 * JavaUtils.timeStringAsSec(options.getOrDefault(name, standard))));
  }

  private static long number(
      String prefix, CaseInsensitiveStringMap options, String name, long standard, long least) {
    long value = options.getLong(name, standard);
    if (value < least || value > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(prefix + name + " is " + value + ", but " + least
          + " is the least, and " + Integer.MAX_VALUE + " the most");
    }
    return value;
  }
}
