package magic.spark;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The body of an answer, received a little ahead of who reads it. Reading can be interrupted, and
 * ends with an error when nothing comes for too long. Closing it ends the statement at the server.
 */
final class ResponseStream extends InputStream implements BodySubscriber<InputStream> {
  /** How many parts, of 16 KiB or less, are received ahead. */
  private static final int WINDOW = 64;

  private record Part(List<ByteBuffer> buffers, Throwable error, boolean isLast) {}

  private final Duration timeout;
  private final BlockingQueue<Part> parts = new LinkedBlockingQueue<>();
  private final CompletableFuture<Flow.Subscription> subscription = new CompletableFuture<>();
  private List<ByteBuffer> buffers = List.of();
  private int next;
  private int taken;
  private Part end;

  ResponseStream(Duration timeout) {
    this.timeout = timeout;
  }

  @Override
  public CompletionStage<InputStream> getBody() {
    return CompletableFuture.completedStage(this);
  }

  @Override
  public void onSubscribe(Flow.Subscription given) {
    if (subscription.complete(given)) {
      given.request(WINDOW);
    } else {
      given.cancel();
    }
  }

  @Override
  public void onNext(List<ByteBuffer> received) {
    parts.add(new Part(received, null, false));
  }

  @Override
  public void onError(Throwable error) {
    parts.add(new Part(List.of(), error, true));
  }

  @Override
  public void onComplete() {
    parts.add(new Part(List.of(), null, true));
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    while (true) {
      while (next < buffers.size() && !buffers.get(next).hasRemaining()) {
        next++;
      }
      if (next < buffers.size()) {
        int count = Math.min(length, buffers.get(next).remaining());
        buffers.get(next).get(target, offset, count);
        return count;
      }
      if (end == null) {
        take();
      }
      if (end != null) {
        if (end.error() != null) {
          throw new IOException(end.error().getMessage(), end.error());
        }
        return -1;
      }
    }
  }

  private void take() throws IOException {
    Part part = null;
    try {
      long end = System.nanoTime() + timeout.toNanos();
      while (part == null && System.nanoTime() < end) {
        Interruption.check();
        part = parts.poll(Interruption.PERIOD_MILLIS, TimeUnit.MILLISECONDS);
      }
    } catch (InterruptedException interruption) {
      close();
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    }
    if (part == null) {
      close();
      throw new IOException("nothing came for " + timeout.toSeconds() + " s (option readTimeout)");
    }
    if (part.isLast()) {
      end = part;
      return;
    }
    buffers = part.buffers();
    next = 0;
    taken++;
    if (taken == WINDOW / 2) {
      subscription.join().request(taken);
      taken = 0;
    }
  }

  @Override
  public void close() {
    if (!subscription.cancel(false)) {
      subscription.join().cancel();
    }
    buffers = List.of();
    next = 0;
    end = new Part(List.of(), new IOException("the stream is closed"), true);
  }
}
