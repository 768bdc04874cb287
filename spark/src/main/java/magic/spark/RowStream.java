package magic.spark;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * The body of a request, which is sent while it is written, no faster than the server takes it. One
 * that is closed before {@link #finish()} breaks off, and leaves nothing at the server.
 */
final class RowStream implements WritableByteChannel {
  private static final int CHUNK = 256 << 10;
  /** How many chunks are written ahead. */
  private static final int WINDOW = 16;
  private static final byte[] END = new byte[0];

  private final String url;
  private final String shown;
  private final Duration timeout;
  private final BlockingQueue<byte[]> chunks = new ArrayBlockingQueue<>(WINDOW);
  private final CompletableFuture<HttpResponse<InputStream>> answer;
  private byte[] chunk = new byte[CHUNK];
  private int length;
  private boolean isOpen = true;

  /**
   * @param url the server
   * @param shown what errors say that was asked
   * @param timeout for the server to take something, or to answer at the end
   * @param send sends a request with that body
   */
  RowStream(String url, String shown, Duration timeout,
      Function<BodyPublisher, CompletableFuture<HttpResponse<InputStream>>> send) {
    this.url = url;
    this.shown = shown;
    this.timeout = timeout;
    this.answer = send.apply(BodyPublishers.ofByteArrays(Chunks::new));
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    int count = source.remaining();
    while (source.hasRemaining()) {
      int part = Math.min(source.remaining(), chunk.length - length);
      source.get(chunk, length, part);
      length += part;
      if (length == chunk.length) {
        send(chunk);
        chunk = new byte[CHUNK];
        length = 0;
      }
    }
    return count;
  }

  /** Sends what is written so far, if nothing waits to be sent. */
  void flush() throws IOException {
    if (length > 0 && chunks.isEmpty()) {
      byte[] part = Arrays.copyOf(chunk, length);
      length = 0;
      send(part);
    }
  }

  /** Ends the body, and waits until the server has stored it. */
  void finish() throws IOException {
    if (length > 0) {
      send(Arrays.copyOf(chunk, length));
      length = 0;
    }
    send(END);
    try (InputStream body = MagicClient.accepted(answer(), url, shown).body()) {
      body.readAllBytes();
    }
    isOpen = false;
  }

  @Override
  public boolean isOpen() {
    return isOpen;
  }

  @Override
  public void close() {
    if (isOpen) {
      isOpen = false;
      answer.cancel(true);
      // Whoever waits for more is to see that there is none.
      chunks.clear();
      chunks.offer(END);
    }
  }

  private void send(byte[] part) throws IOException {
    long end = System.nanoTime() + timeout.toNanos();
    try {
      while (!chunks.offer(part, Interruption.PERIOD_MILLIS, TimeUnit.MILLISECONDS)) {
        Interruption.check();
        if (answer.isDone()) {
          // The server does not take more, and tells why.
          MagicClient.accepted(answer(), url, shown);
          throw new IOException("it answered before it had all rows");
        }
        if (System.nanoTime() > end) {
          throw timedOut();
        }
      }
    } catch (InterruptedException interruption) {
      throw interrupted(interruption);
    }
  }

  private HttpResponse<InputStream> answer() {
    long end = System.nanoTime() + timeout.toNanos();
    while (true) {
      try {
        Interruption.check();
        return answer.get(Interruption.PERIOD_MILLIS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException later) {
        if (System.nanoTime() > end) {
          throw timedOut();
        }
      } catch (InterruptedException interruption) {
        throw interrupted(interruption);
      } catch (ExecutionException failure) {
        throw new MagicException(url, shown, MagicException.UNREACHABLE, 0,
            "the rows did not reach it: " + failure.getCause(), failure.getCause());
      }
    }
  }

  private MagicException timedOut() {
    return new MagicException(url, shown, "timedOut", 0,
        "it has taken no rows for " + timeout.toSeconds() + " s (option readTimeout)", null);
  }

  private MagicException interrupted(InterruptedException interruption) {
    Thread.currentThread().interrupt();
    return new MagicException(url, shown, "cancelled", 0, "interrupted", interruption);
  }

  /** The chunks as they come. */
  private final class Chunks implements Iterator<byte[]> {
    private byte[] next;

    @Override
    public boolean hasNext() {
      try {
        while (next == null) {
          next = chunks.take();
        }
      } catch (InterruptedException interruption) {
        Thread.currentThread().interrupt();
        return false;
      }
      return next != END;
    }

    @Override
    public byte[] next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      byte[] taken = next;
      next = null;
      return taken;
    }
  }
}
