package magic.spark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.ThreadUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A transaction of the server, in the driver. Tasks write in parts of it, of which those are published
 * that the driver names when it commits: so a task that is tried again, or runs twice, counts once.
 */
final class WriteTransaction {
  private static final long RENEWAL_SECONDS = 10;
  /** What the connector says when it has no answer. */
  private static final Set<String> UNANSWERED =
      Set.of(MagicException.UNREACHABLE, "timedOut", "cancelled");
  private static final Logger LOG = LoggerFactory.getLogger(WriteTransaction.class);
  private static final ScheduledExecutorService RENEWALS =
      ThreadUtils.newDaemonThreadPoolScheduledExecutor("magic-transactions", 4);

  private final ConnectionOptions options;
  private final MagicClient client;
  private final String url;
  private final String id;
  private final ScheduledFuture<?> renewal;

  private WriteTransaction(ConnectionOptions options, String url, String id) {
    this.options = options;
    this.client = MagicClient.of(options);
    this.url = url;
    this.id = id;
    // One that is forgotten ends at the server by itself.
    WeakReference<WriteTransaction> weak = new WeakReference<>(this);
    this.renewal = RENEWALS.scheduleWithFixedDelay(
        () -> renew(weak), RENEWAL_SECONDS, RENEWAL_SECONDS, TimeUnit.SECONDS);
  }

  private static WriteTransaction begin(ConnectionOptions options) {
    MagicClient.Answer answer =
        MagicClient.of(options).call("transactions/begin", MagicClient.object());
    return new WriteTransaction(options, answer.url(), answer.json().path("transaction").asText());
  }

  /** The server. */
  String url() {
    return url;
  }

  /** Its name there. */
  String id() {
    return id;
  }

  /** Begins a transaction and prepares it, which is forgotten when that fails. */
  static WriteTransaction begin(ConnectionOptions options, Consumer<WriteTransaction> prepare) {
    WriteTransaction transaction = begin(options);
    try {
      prepare.accept(transaction);
      return transaction;
    } catch (RuntimeException error) {
      transaction.rollback();
      throw error;
    }
  }

  /**
   * Has the server look at what is to be written, or make the table that it goes to: writes no rows.
   *
   * @param schema of the rows
   */
  void prepare(RowTarget target, StructType schema) {
    try (RowUpload upload = new RowUpload(options, url, target, schema)) {
      upload.finish();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Runs a statement in it. */
  void execute(String sql) {
    client.execute(url, sql, id);
  }

  /**
   * Publishes what was done in it and in some of its parts.
   *
   * @param parts their names, in the order in which they take effect
   * @param token makes a repeated commit harmless; null for none
   * @param unchangedSince the number of a commit point since which nobody else may have changed the
   *     tables
   */
  void commit(List<String> parts, String token, OptionalLong unchangedSince) {
    renewal.cancel(false);
    ObjectNode request = MagicClient.object().put("transaction", id);
    request.set("parts", MagicClient.array(parts));
    if (token != null) {
      request.put("token", token);
    }
    unchangedSince.ifPresent(commit -> request.put("unchangedSince", commit));
    try {
      client.callOnce(url, "transactions/commit", request);
    } catch (MagicException error) {
      if (UNANSWERED.contains(error.kind())) {
        throw new MagicException(url, "transactions/commit", MagicException.UNREACHABLE, 0,
            "it did not answer to the commit, so whether the rows are written is not known: "
                + "look before you write them again.", error);
      }
      throw error;
    }
  }

  /** Forgets everything. */
  void rollback() {
    renewal.cancel(false);
    try {
      client.callOnce(url, "transactions/rollback", MagicClient.object().put("transaction", id));
    } catch (MagicException error) {
      LOG.info("{}", error.getMessage());
    }
  }

  private static void renew(WeakReference<WriteTransaction> weak) {
    WriteTransaction transaction = weak.get();
    if (transaction == null) {
      // Ends the repetition.
      throw new IllegalStateException("the transaction was forgotten");
    }
    try {
      transaction.client.call(transaction.url, "transactions/renew",
          MagicClient.object().put("transaction", transaction.id));
    } catch (MagicException error) {
      // Whoever writes or commits is told.
      LOG.info("{}", error.getMessage());
    }
  }
}
