package magic.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorLoader;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.pojo.Schema;

/**
 * The record batches of an Arrow stream, each in vectors of its own, which belong to who asked for
 * them. An error that the server tells amid the stream is thrown as one.
 */
final class ArrowBatches implements AutoCloseable {
  private static final int CONTINUATION = -1;
  private static final int LONGEST_METADATA = 256 << 20;
  private static final String MARK = "__exception__\r\n";

  private final InputStream input;
  private final String tag;
  private final String url;
  private final String statement;
  private final BufferAllocator allocator;
  private final byte[] prefix = new byte[8];
  private final byte[] chunk = new byte[64 << 10];
  private final Tail tail = new Tail();
  private Schema schema;

  ArrowBatches(
      InputStream input, String tag, String url, String statement, BufferAllocator allocator) {
    this.input = input;
    this.tag = tag;
    this.url = url;
    this.statement = statement;
    this.allocator = allocator;
  }

  /** The next batch; null at the end. */
  VectorSchemaRoot next() throws IOException {
    while (true) {
      Message message = message();
      if (message == null) {
        return null;
      }
      switch (message.headerType()) {
        case MessageHeader.Schema -> schema = MessageSerializer.deserializeSchema(message);
        case MessageHeader.RecordBatch -> {
          return batch(message);
        }
        default -> throw new IOException("The Magic server " + url
            + " sent an Arrow message that is not known, of type " + message.headerType());
      }
    }
  }

  private Message message() throws IOException {
    fill(prefix, 8);
    ByteBuffer head = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN);
    int mark = head.getInt();
    int length = head.getInt();
    if (mark != CONTINUATION || length < 0 || length > LONGEST_METADATA) {
      throw broken(null);
    }
    if (length == 0) {
      return null;
    }
    byte[] metadata = new byte[length];
    fill(metadata, length);
    return Message.getRootAsMessage(ByteBuffer.wrap(metadata).order(ByteOrder.LITTLE_ENDIAN));
  }

  private VectorSchemaRoot batch(Message message) throws IOException {
    VectorSchemaRoot root = VectorSchemaRoot.create(schema, allocator);
    try (ArrowBuf body = body(message.bodyLength());
        ArrowRecordBatch batch = MessageSerializer.deserializeRecordBatch(message, retained(body))) {
      new VectorLoader(root).load(batch);
      return root;
    } catch (Throwable error) {
      root.close();
      throw error;
    }
  }

  /** Deserializing takes a reference, and so does who closes the body. */
  private static ArrowBuf retained(ArrowBuf body) {
    body.getReferenceManager().retain();
    return body;
  }

  private ArrowBuf body(long length) throws IOException {
    ArrowBuf body = allocator.buffer(length);
    try {
      for (long at = 0; at < length; ) {
        int count = (int) Math.min(chunk.length, length - at);
        fill(chunk, count);
        body.setBytes(at, chunk, 0, count);
        at += count;
      }
      body.writerIndex(length);
      return body;
    } catch (Throwable error) {
      body.close();
      throw error;
    }
  }

  private void fill(byte[] target, int length) throws IOException {
    for (int at = 0; at < length; ) {
      int count = read(target, at, length - at);
      if (count < 0) {
        throw broken(new EOFException("the stream ended early"));
      }
      at += count;
    }
  }

  private int read(byte[] target, int offset, int length) throws IOException {
    try {
      int count = input.read(target, offset, length);
      if (count > 0) {
        tail.add(target, offset, count);
      }
      return count;
    } catch (java.io.InterruptedIOException interruption) {
      throw interruption;
    } catch (IOException error) {
      throw broken(error);
    }
  }

  /** Why the stream is not what it should be: what its end tells, which is read for that. */
  private RuntimeException broken(IOException cause) {
    try {
      int count;
      while (cause == null && (count = input.read(chunk)) >= 0) {
        tail.add(chunk, 0, count);
      }
    } catch (IOException end) {
      cause = end;
    }
    String text = tail.text();
    String opening = MARK + tag + "\r\n";
    int begin = text.lastIndexOf(opening);
    if (!tag.isEmpty() && begin >= 0) {
      String line = text.substring(begin + opening.length());
      int end = line.lastIndexOf("}");
      try {
        return MagicClient.refusal(
            MagicClient.parse(line.substring(0, end + 1)).path("error"), url, statement);
      } catch (JsonProcessingException notJson) {
        return new MagicException(url, statement, "failed", 0, line.strip(), cause);
      }
    }
    String reason = cause == null ? "it is no Arrow stream" : cause.getMessage();
    return new MagicException(url, statement, MagicException.UNREACHABLE, 0,
        "the result broke off: " + reason + ".", cause);
  }

  @Override
  public void close() throws IOException {
    input.close();
  }

  /** The last bytes of a stream, of which an error has at most 16 KiB and a few words. */
  private static final class Tail {
    private static final int LENGTH = 20 << 10;
    private final byte[] ring = new byte[LENGTH];
    private long count;

    void add(byte[] source, int offset, int length) {
      int kept = Math.min(length, LENGTH);
      int from = offset + length - kept;
      count += length - kept;
      int at = (int) (count % LENGTH);
      int first = Math.min(kept, LENGTH - at);
      System.arraycopy(source, from, ring, at, first);
      System.arraycopy(source, from + first, ring, 0, kept - first);
      count += kept;
    }

    String text() {
      int length = (int) Math.min(count, LENGTH);
      byte[] bytes = new byte[length];
      for (int index = 0; index < length; index++) {
        bytes[index] = ring[(int) ((count - length + index) % LENGTH)];
      }
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }
}
