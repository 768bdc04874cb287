package magic.spark;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.catalog.Changelog;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.vectorized.ArrowColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The changes of the rows in a range of keys. The server hashes the rows of both states, and of those
 * whose hashes differ gives the columns.
 *
 * @param options how to reach the server
 * @param before the state after which changes count
 * @param after the state up to which they count
 * @param schema what is read
 * @param expressions what the table's columns in it are in the server's SQL
 * @param key a hash of the key
 * @param values a hash of all columns
 * @param database the table's database
 * @param table its name there
 * @param conditions of the range
 */
record ChangePartition(
    ConnectionOptions options,
    SnapshotVersion before,
    SnapshotVersion after,
    StructType schema,
    List<String> expressions,
    String key,
    String values,
    String database,
    String table,
    List<String> conditions)
    implements InputPartition {

  /** So many changed rows are asked for by their keys; of more the whole range is read. */
  private static final int NAMED_ROWS = 2000;

  static final PartitionReaderFactory READERS = partition -> new Reader((ChangePartition) partition);

  private String sql(List<String> outputs, List<String> more) {
    List<String> all = new ArrayList<>(conditions);
    all.addAll(more);
    return "SELECT " + String.join(", ", outputs) + " FROM " + TableStatements.name(database, table)
        + (all.isEmpty() ? "" : " WHERE " + String.join(" AND ", all));
  }

  /** Gives the changes: what is gone or was otherwise before, then what is there now. */
  private static final class Reader implements PartitionReader<InternalRow> {
    private final ChangePartition part;
    private final BufferAllocator allocator;
    /** The kinds of change, by the key's hash. */
    private Map<String, String> changes;
    private final ArrayDeque<SnapshotVersion> states = new ArrayDeque<>();
    private SnapshotVersion state;
    private ArrowBatches batches;
    private ColumnarBatch batch;
    private Iterator<InternalRow> rows;
    private InternalRow row;

    Reader(ChangePartition part) {
      this.part = part;
      this.allocator =
          ArrowUtils.rootAllocator().newChildAllocator("magic changes", 0, Long.MAX_VALUE);
    }

    @Override
    public boolean next() throws IOException {
      if (changes == null) {
        changes = compare();
        if (!changes.isEmpty()) {
          states.add(part.before());
          states.add(part.after());
        }
      }
      while (true) {
        while (rows != null && rows.hasNext()) {
          InternalRow found = rows.next();
          String change = kind(changes.get(found.getUTF8String(0).toString()));
          if (change != null) {
            row = output(found, change);
            return true;
          }
        }
        if (!nextBatch()) {
          return false;
        }
      }
    }

    /** What a change is in the state that is being read; null when it does not concern it. */
    private String kind(String change) {
      boolean isBefore = state == part.before();
      if (change == null) {
        return null;
      }
      return switch (change) {
        case Changelog.CHANGE_TYPE_DELETE -> isBefore ? change : null;
        case Changelog.CHANGE_TYPE_INSERT -> isBefore ? null : change;
        default -> isBefore ? Changelog.CHANGE_TYPE_UPDATE_PREIMAGE
            : Changelog.CHANGE_TYPE_UPDATE_POSTIMAGE;
      };
    }

    private InternalRow output(InternalRow found, String change) {
      Object[] cells = new Object[part.schema().length()];
      int column = 0;
      for (int index = 0; index < cells.length; index++) {
        StructField field = part.schema().fields()[index];
        cells[index] = switch (field.name()) {
          case "_change_type" -> UTF8String.fromString(change);
          case "_commit_version" -> part.after().commit();
          case "_commit_timestamp" -> part.after().micros();
          default -> found.get(++column, field.dataType());
        };
      }
      // The cells are of vectors that are freed with their batch.
      return new GenericInternalRow(cells).copy();
    }

    /** Which keys have changed, and how. */
    private Map<String, String> compare() throws IOException {
      Map<String, String> found = new HashMap<>();
      List<String> outputs = List.of(part.key(), part.values());
      each(part.before(), outputs, (key, values) -> found.put(key, values));
      Map<String, String> kinds = new HashMap<>();
      each(part.after(), outputs, (key, values) -> {
        String earlier = found.remove(key);
        if (earlier == null) {
          kinds.put(key, Changelog.CHANGE_TYPE_INSERT);
        } else if (!earlier.equals(values)) {
          kinds.put(key, Changelog.CHANGE_TYPE_UPDATE_POSTIMAGE);
        }
      });
      found.keySet().forEach(key -> kinds.put(key, Changelog.CHANGE_TYPE_DELETE));
      return kinds;
    }

    private void each(SnapshotVersion at, List<String> outputs, Pairs pairs) throws IOException {
      try (ArrowBatches hashes = query(at, part.sql(outputs, List.of()))) {
        for (VectorSchemaRoot root; (root = hashes.next()) != null; ) {
          try (VectorSchemaRoot held = root) {
            for (int index = 0; index < held.getRowCount(); index++) {
              pairs.add(held.getVector(0).getObject(index).toString(),
                  held.getVector(1).getObject(index).toString());
            }
          }
        }
      }
    }

    private boolean nextBatch() throws IOException {
      free();
      while (true) {
        if (batches == null) {
          state = states.poll();
          if (state == null) {
            return false;
          }
          List<String> outputs = new ArrayList<>(List.of(part.key()));
          outputs.addAll(part.expressions());
          batches = query(state, part.sql(outputs, wanted()));
        }
        VectorSchemaRoot root = batches.next();
        if (root != null) {
          ColumnVector[] columns = root.getFieldVectors().stream()
              .map(ArrowColumnVector::new).toArray(ColumnVector[]::new);
          batch = new ColumnarBatch(columns, root.getRowCount());
          rows = batch.rowIterator();
          return true;
        }
        batches.close();
        batches = null;
      }
    }

    private List<String> wanted() {
      if (changes.size() > NAMED_ROWS) {
        return List.of();
      }
      return List.of(part.key() + " IN ('" + String.join("', '", changes.keySet()) + "')");
    }

    private ArrowBatches query(SnapshotVersion at, String sql) {
      return MagicClient.of(part.options())
          .query(at.url(), sql, at.id(), part.options().batchRows(), allocator);
    }

    @Override
    public InternalRow get() {
      return row;
    }

    private void free() {
      rows = null;
      if (batch != null) {
        batch.close();
        batch = null;
      }
    }

    @Override
    public void close() throws IOException {
      free();
      if (batches != null) {
        batches.close();
        batches = null;
      }
      allocator.close();
    }
  }

  /** Takes pairs of hashes. */
  private interface Pairs {
    void add(String key, String values);
  }
}
