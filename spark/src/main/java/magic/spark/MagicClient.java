package magic.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.arrow.memory.BufferAllocator;

/** Calls of the Magic API. One is shared by all threads of a process that have the same options. */
final class MagicClient {
  private static final String PATH = "/magic/v1/";
  /** What a server must have of the API: lasting snapshots. */
  private static final long REVISION = 4;
  private static final long FIRST_PAUSE = 100;
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ConcurrentHashMap<ConnectionOptions, MagicClient> CLIENTS =
      new ConcurrentHashMap<>();

  private final ConnectionOptions options;
  private final HttpClient http;
  private volatile String url;

  /** The client of this process for these options. */
  static MagicClient of(ConnectionOptions options) {
    return CLIENTS.computeIfAbsent(options.connection(), MagicClient::new);
  }

  private MagicClient(ConnectionOptions options) {
    this.options = options;
    this.url = options.urls().get(0);
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(options.connectTimeout());
    if (options.certificate() != null) {
      builder.sslContext(trusting(options.certificate()));
    }
    this.http = builder.build();
  }

  /** The server that answered when one was looked for last. */
  String url() {
    return url;
  }

  /** An empty JSON object, to be filled with the members of a request. */
  static ObjectNode object() {
    return JSON.createObjectNode();
  }

  /** A LIKE pattern for exactly this name. */
  static String pattern(String name) {
    return name.replaceAll("([\\\\%_])", "\\\\$1");
  }

  /** Texts as a JSON array. */
  static ArrayNode array(List<String> texts) {
    ArrayNode array = JSON.createArrayNode();
    texts.forEach(array::add);
    return array;
  }

  /** A JSON text as a value. */
  static JsonNode parse(String text) throws JsonProcessingException {
    return JSON.readTree(text);
  }

  /** Finds a server that answers, and makes sure that it speaks this version of the API. */
  void connect() {
    MagicException failure = null;
    for (String each : options.urls()) {
      try {
        check(each);
        url = each;
        return;
      } catch (MagicException error) {
        if (!error.kind().equals(MagicException.UNREACHABLE)) {
          throw error;
        }
        failure = error;
      }
    }
    throw failure;
  }

  /** Makes sure that a server has what the connector needs. */
  private void check(String at) {
    String shown = "databases {}";
    HttpResponse<InputStream> answer = send(at, "databases", object(), shown);
    json(answer, at, shown);
    long revision = answer.headers().firstValueAsLong("X-Magic-API-Revision").orElse(1);
    if (revision < REVISION) {
      throw new MagicException(at, shown, "version", 0, "it is too old: it speaks revision "
          + revision + " of the Magic API, and this connector needs " + REVISION + ".", null);
    }
  }

  /**
   * An answer, and who gave it.
   *
   * @param url the server
   * @param json what it said
   */
  record Answer(String url, JsonNode json) {}

  /** The answer of a route below {@code /magic/v1/}, of another server when the last one is gone. */
  Answer call(String route, ObjectNode request) {
    String at = url;
    try {
      return new Answer(at, call(at, route, request));
    } catch (MagicException error) {
      if (!error.kind().equals(MagicException.UNREACHABLE) || options.urls().size() == 1) {
        throw error;
      }
    }
    connect();
    at = url;
    return new Answer(at, call(at, route, request));
  }

  /** The answer of the server at an address. */
  JsonNode call(String at, String route, ObjectNode request) {
    String shown = route + " " + request;
    return json(send(at, route, request, shown), at, shown);
  }

  /** What an answer says. */
  private static JsonNode json(HttpResponse<InputStream> answer, String at, String shown) {
    try (InputStream body = answer.body()) {
      return JSON.readTree(body.readAllBytes());
    } catch (JsonProcessingException error) {
      throw otherVersion(at, shown);
    } catch (IOException error) {
      throw unreachable(at, shown, error);
    }
  }

  /**
   * Runs a statement that reads.
   *
   * @param at the server's address
   * @param snapshot the name of the state that it reads; null for the newest
   * @param batchRows the most rows of a batch
   */
  ArrowBatches query(
      String at, String sql, String snapshot, int batchRows, BufferAllocator allocator) {
    ObjectNode request = object().put("sql", sql);
    request.putObject("settings").put("max_block_size", Integer.toString(batchRows));
    if (snapshot != null) {
      request.put("snapshot", snapshot);
    }
    HttpResponse<InputStream> response = send(at, "query", request, sql);
    String tag = response.headers().firstValue("X-ClickHouse-Exception-Tag").orElse("");
    return new ArrowBatches(response.body(), tag, at, sql, allocator);
  }

  /**
   * Runs a statement that changes something, once.
   *
   * @param transaction collects what it changes; null for none
   */
  void execute(String at, String sql, String transaction) {
    ObjectNode request = object().put("sql", sql);
    if (transaction != null) {
      request.put("transaction", transaction);
    }
    try (InputStream body = sendOnce(post(at, "query", request), at, sql).body()) {
      body.readAllBytes();
    } catch (IOException error) {
      throw unreachable(at, sql, error);
    }
  }

  /** The answer of the server at an address to a request that must not be made twice. */
  JsonNode callOnce(String at, String route, ObjectNode request) {
    String shown = route + " " + request;
    return json(sendOnce(post(at, route, request), at, shown), at, shown);
  }

  /** Begins to send rows, an Arrow stream that is written to the result. */
  RowStream write(String at, RowTarget target) {
    HttpRequest.Builder request = request(at, "write?" + target.parameters())
        .header("Content-Type", "application/vnd.apache.arrow.stream");
    return new RowStream(at, target.toString(), options.readTimeout(), body ->
        http.sendAsync(request.POST(body).build(),
            ignored -> new ResponseStream(options.readTimeout())));
  }

  /** Sends until there is an answer that tells of no passing trouble. */
  private HttpResponse<InputStream> send(String at, String route, ObjectNode body, String shown) {
    HttpRequest request = post(at, route, body);
    for (int attempt = 0; ; attempt++) {
      try {
        return sendOnce(request, at, shown);
      } catch (MagicException error) {
        if (!error.mayPass() || attempt == options.retries()) {
          throw error;
        }
      }
      pause(attempt, at, shown);
    }
  }

  private HttpRequest post(String at, String route, ObjectNode body) {
    return request(at, route)
        .header("Content-Type", "application/json")
        .timeout(options.readTimeout())
        .POST(HttpRequest.BodyPublishers.ofString(body.toString()))
        .build();
  }

  private HttpRequest.Builder request(String at, String route) {
    HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(at + PATH + route));
    if (options.token() != null) {
      builder.header("Authorization", "Bearer " + options.token());
    } else if (options.user() != null) {
      String password = options.password() == null ? "" : options.password();
      byte[] pair = (options.user() + ":" + password).getBytes(StandardCharsets.UTF_8);
      builder.header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair));
    }
    return builder;
  }

  private HttpResponse<InputStream> sendOnce(HttpRequest request, String at, String shown) {
    CompletableFuture<HttpResponse<InputStream>> answer =
        http.sendAsync(request, ignored -> new ResponseStream(options.readTimeout()));
    try {
      return accepted(wait(answer), at, shown);
    } catch (HttpConnectTimeoutException error) {
      throw unreachable(at, shown, error);
    } catch (HttpTimeoutException error) {
      throw new MagicException(at, shown, "timedOut", 0,
          "it has not answered for " + options.readTimeout().toSeconds() + " s (option readTimeout)",
          error);
    } catch (IOException error) {
      throw unreachable(at, shown, error);
    } catch (InterruptedException interruption) {
      answer.cancel(true);
      Thread.currentThread().interrupt();
      throw new MagicException(at, shown, "cancelled", 0, "interrupted", interruption);
    }
  }

  /** An answer that tells of success. */
  static HttpResponse<InputStream> accepted(
      HttpResponse<InputStream> response, String at, String shown) throws IOException {
    if (response.statusCode() == 200) {
      return response;
    }
    try (InputStream body = response.body()) {
      throw refusal(response, new String(body.readAllBytes(), StandardCharsets.UTF_8), at, shown);
    }
  }

  private static <T> T wait(CompletableFuture<T> answer) throws IOException, InterruptedException {
    while (true) {
      Interruption.check();
      try {
        return answer.get(Interruption.PERIOD_MILLIS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException later) {
        continue;
      } catch (ExecutionException failure) {
        if (failure.getCause() instanceof IOException error) {
          throw error;
        }
        throw new IOException(failure.getCause());
      }
    }
  }

  private static MagicException refusal(
      HttpResponse<?> response, String text, String at, String shown) {
    try {
      JsonNode error = JSON.readTree(text).path("error");
      if (error.has("kind")) {
        return refusal(error, at, shown);
      }
    } catch (JsonProcessingException notJson) {
      // A text, which is looked at below.
    }
    String kind = response.headers().firstValue("X-Magic-Error-Kind").orElse("");
    if (kind.isEmpty() || text.contains("There is no route")) {
      return otherVersion(at, shown);
    }
    if (response.statusCode() == 401) {
      kind = "unauthenticated";
    }
    return new MagicException(at, shown, kind, 0, text.strip(), null);
  }

  /** The error that a JSON object of the server describes. */
  static MagicException refusal(JsonNode error, String at, String shown) {
    return new MagicException(at, shown, error.path("kind").asText("failed"),
        error.path("engineCode").asInt(0), error.path("message").asText(), null);
  }

  private static MagicException otherVersion(String at, String shown) {
    return new MagicException(at, shown, "version", 0,
        "it does not speak version 1 of the Magic API.", null);
  }

  private static MagicException unreachable(String at, String shown, IOException error) {
    String reason = error.getMessage() == null ? error.getClass().getSimpleName() : error.getMessage();
    return new MagicException(
        at, shown, MagicException.UNREACHABLE, 0, "it cannot be reached: " + reason + ".", error);
  }

  private static void pause(int attempt, String at, String shown) {
    long most = FIRST_PAUSE << Math.min(attempt, 6);
    try {
      Thread.sleep(most / 2 + ThreadLocalRandom.current().nextLong(most / 2));
    } catch (InterruptedException interruption) {
      Thread.currentThread().interrupt();
      throw new MagicException(at, shown, "cancelled", 0, "interrupted", interruption);
    }
  }

  private static SSLContext trusting(String file) {
    try (InputStream content = Files.newInputStream(Path.of(file))) {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int number = 0;
      for (Certificate each :
          CertificateFactory.getInstance("X.509").generateCertificates(content)) {
        store.setCertificateEntry("magic-" + number++, each);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, factory.getTrustManagers(), null);
      return context;
    } catch (IOException | GeneralSecurityException error) {
      throw new IllegalArgumentException(
          "The option certificate: " + file + " cannot be read: " + error, error);
    }
  }
}
