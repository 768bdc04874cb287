package magic.spark;

/** What a server refused, or why it could not be asked: the server, the statement, what to do. */
public final class MagicException extends RuntimeException {
  private static final int SHOWN = 2000;

  /** The kind of a failure to reach the server. */
  static final String UNREACHABLE = "unreachable";

  private final String kind;
  private final int engineCode;

  MagicException(
      String url, String request, String kind, int engineCode, String message, Throwable cause) {
    super(text(url, request, kind, message), cause);
    this.kind = kind;
    this.engineCode = engineCode;
  }

  /** The server's word for what is wrong, or {@code unreachable}. */
  public String kind() {
    return kind;
  }

  /** The number that the engine gave the error; 0 when it is none of the engine's. */
  public int engineCode() {
    return engineCode;
  }

  /** Whether the same request can have another answer soon. */
  boolean mayPass() {
    return kind.equals(UNREACHABLE) || kind.equals("unavailable") || kind.equals("exhausted");
  }

  private static String text(String url, String request, String kind, String message) {
    String shown = request.length() <= SHOWN ? request : request.substring(0, SHOWN) + " …";
    String advice = advice(kind, message);
    String end = message.matches("(?s).*[.!?)]") ? "" : ".";
    return "The Magic server " + url + ": " + message + end + (advice.isEmpty() ? "" : " " + advice)
        + "\nThe request was: " + shown;
  }

  private static String advice(String kind, String message) {
    return switch (kind) {
      case UNREACHABLE ->
          "Check the catalog's option url, and whether `magic serve` runs there.";
      case "version" ->
          "Use the connector that belongs to the server's version.";
      case "unauthenticated" ->
          "Set the catalog's options user and password, or token.";
      case "forbidden" -> "Ask who administers the server for the right.";
      case "exhausted", "unavailable" -> "Try again later.";
      case "timedOut" -> "Make the query smaller, or raise the limit.";
      case "notFound" -> message.contains("snapshot")
          ? "Make the DataFrame anew, or raise the catalog's option snapshotLifetime." : "";
      default -> "";
    };
  }
}
