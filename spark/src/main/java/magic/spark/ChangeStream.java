package magic.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream;
import org.apache.spark.sql.connector.read.streaming.Offset;
import org.apache.spark.sql.connector.read.streaming.ReadLimit;
import org.apache.spark.sql.connector.read.streaming.SupportsAdmissionControl;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.ThreadUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The changes of a table as they happen. Each offset is a snapshot of the server's, which the stream
 * keeps alive until a later one is committed; a stream that is begun again goes on from the last one, if
 * the server still has it.
 */
final class ChangeStream implements MicroBatchStream, SupportsAdmissionControl {
  private static final Logger LOG = LoggerFactory.getLogger(ChangeStream.class);

  private final TableChanges changes;
  private final MagicClient client;
  private final String from;
  private final StructType schema;
  /** Where the stream keeps the state in which it began. */
  private final Path beginning;
  private final ScheduledExecutorService worker =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("magic-changes");
  /** The snapshots that are kept, by their names, the oldest first. */
  private final Map<String, SnapshotVersion> kept = new LinkedHashMap<>();
  private Point newest;

  /**
   * @param from the name of the state after which changes count, which is somebody else's; null for the
   *     one that it begins in
   * @param checkpoint a folder of the stream's own
   */
  ChangeStream(TableChanges changes, ConnectionOptions options, String from, StructType schema,
      String checkpoint) {
    this.beginning = new Path(checkpoint, "beginning");
    this.changes = changes;
    this.client = MagicClient.of(options);
    this.from = from;
    this.schema = schema;
    long period = Math.max(1, options.snapshotLifetime().toMillis() / 3);
    worker.scheduleWithFixedDelay(this::renew, period, period, TimeUnit.MILLISECONDS);
  }

  /** The same whenever it is asked for, also by a stream that is begun again in its first batch. */
  @Override
  public synchronized Offset initialOffset() {
    try {
      FileSystem files =
          beginning.getFileSystem(SparkSession.active().sparkContext().hadoopConfiguration());
      if (files.exists(beginning)) {
        try (InputStream content = files.open(beginning)) {
          return deserializeOffset(new String(content.readAllBytes(), StandardCharsets.UTF_8));
        }
      }
      SnapshotVersion first = from == null ? SnapshotVersion.newest(client, changes.table())
          : SnapshotVersion.of(client, from);
      kept.put(first.id(), first);
      Point point = new Point(first, null);
      Path written = beginning.suffix(".new");
      try (OutputStream content = files.create(written, true)) {
        content.write(point.json().getBytes(StandardCharsets.UTF_8));
      }
      if (!files.rename(written, beginning)) {
        throw new IOException(beginning + " cannot be written");
      }
      return point;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  @Override
  public Offset latestOffset() {
    throw new UnsupportedOperationException("latestOffset needs the offset before");
  }

  /** The newest state, if the table has changed since the one before. */
  @Override
  public synchronized Offset latestOffset(Offset start, ReadLimit limit) {
    Point before = newest != null ? newest : (Point) start;
    kept.putIfAbsent(before.version().id(), before.version());
    if (changes.lastCommit() <= before.version().commit()) {
      return before;
    }
    SnapshotVersion next = SnapshotVersion.newest(client, changes.table());
    kept.put(next.id(), next);
    newest = new Point(next, before.version().id().equals(from) ? null : before.version().id());
    return newest;
  }

  @Override
  public Offset deserializeOffset(String json) {
    try {
      JsonNode value = MagicClient.parse(json);
      return new Point(new SnapshotVersion(value.path("url").asText(),
          value.path("snapshot").asText(), value.path("commit").asLong(),
          value.path("micros").asLong()), value.path("before").asText(null));
    } catch (JsonProcessingException error) {
      throw new IllegalArgumentException("The checkpoint's offset is no snapshot: " + json, error);
    }
  }

  @Override
  public synchronized InputPartition[] planInputPartitions(Offset start, Offset end) {
    SnapshotVersion before = ((Point) start).version();
    SnapshotVersion after = ((Point) end).version();
    for (SnapshotVersion each : List.of(before, after)) {
      // Of a stream that was begun before; the server tells when it has it no more.
      kept.computeIfAbsent(each.id(), id -> {
        SnapshotVersion.of(client, id);
        return each;
      });
    }
    newest = newest == null ? (Point) end : newest;
    if (before.commit() > after.commit()) {
      throw new IllegalStateException("The changes from " + before + " to " + after
          + " would go backwards: is the server restored from a backup? Begin the stream anew");
    }
    return before.commit() == after.commit()
        ? new InputPartition[0] : changes.partitions(before, after, schema);
  }

  @Override
  public PartitionReaderFactory createReaderFactory() {
    return ChangePartition.READERS;
  }

  /** Nothing before this is read any more. */
  @Override
  public synchronized void commit(Offset end) {
    SnapshotVersion reached = ((Point) end).version();
    // A stream that was begun before may have left it.
    String before = ((Point) end).before;
    if (before != null && kept.values().stream().noneMatch(each -> each.id().equals(before))) {
      release(before);
    }
    kept.values().removeIf(each -> {
      boolean isOver = each.commit() < reached.commit();
      if (isOver && !each.id().equals(from)) {
        release(each.id());
      }
      return isOver;
    });
  }

  /** What the next run of the stream begins with stays for its lifetime. */
  @Override
  public void stop() {
    worker.shutdownNow();
  }

  private void renew() {
    List<SnapshotVersion> all;
    synchronized (this) {
      all = List.copyOf(kept.values());
    }
    all.forEach(each -> ask("snapshots/renew", each.id()));
  }

  private void release(String id) {
    ask("snapshots/release", id);
  }

  /** A failure is told by those who read at the snapshot. */
  private void ask(String route, String id) {
    try {
      client.call(route, MagicClient.object().put("snapshot", id));
    } catch (MagicException error) {
      LOG.info("{}", error.getMessage());
    }
  }

  /** A place in the stream. */
  private static final class Point extends Offset {
    private final SnapshotVersion version;
    private final String before;

    /** @param before the name of the snapshot that is of no use once this one is reached; null for none */
    Point(SnapshotVersion version, String before) {
      this.version = version;
      this.before = before;
    }

    SnapshotVersion version() {
      return version;
    }

    @Override
    public String json() {
      return MagicClient.object().put("url", version.url()).put("snapshot", version.id())
          .put("commit", version.commit()).put("micros", version.micros())
          .put("before", before).toString();
    }
  }
}
