package magic.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.util.ArrowUtils;

/** What a plan needs to know of the tables that it reads at one snapshot; each is asked for once. */
final class TableFacts {
  /** From how many rows it is told how many groups there are. */
  private static final int SAMPLE = 100_000;
  /** With fewer rows in a group on the average it does not pay to make groups. */
  private static final int ROWS_OF_GROUP = 4;
  /** How much finer than its own parts a table is looked at to see how another's bounds divide it. */
  private static final int FINER = 4;

  /** A table, and how it is to be divided. */
  private record Division(String database, String table, ConnectionOptions options) {
    static Division of(MagicTable table, ConnectionOptions options) {
      return new Division(table.database(), table.table(), options);
    }
  }

  /**
   * Parts in each of which are all rows of the values between two bounds.
   *
   * @param bounds the first values of all parts but the first one, in their order
   */
  record Bounded(List<Long> bounds, List<KeyRange> ranges) {}

  private final String url;
  private final String snapshot;
  private final Map<Division, List<KeyRange>> ranges = new HashMap<>();
  private final Map<Division, Optional<Bounded>> bounded = new HashMap<>();
  private final Map<String, Boolean> fewGroups = new HashMap<>();

  TableFacts(PinnedSnapshot snapshot) {
    this.url = snapshot.url();
    this.snapshot = snapshot.id();
  }

  /** About how many rows a table has. */
  long rowCount(MagicTable table, ConnectionOptions options) {
    return KeyRange.rowCount(ranges(table, options));
  }

  /** The parts that are read apart from each other. */
  List<KeyRange> parts(MagicTable table, ConnectionOptions options) {
    return bounded(table, options).map(Bounded::ranges).orElseGet(() -> joined(table, options));
  }

  /**
   * The parts of a table whose key begins with an integer that has enough values, so that all rows of a
   * value are in one part. Tables that can be divided by the same bounds are, so that parts of one go
   * with parts of the other.
   */
  synchronized Optional<Bounded> bounded(MagicTable table, ConnectionOptions options) {
    Division division = Division.of(table, options);
    Optional<Bounded> known = bounded.get(division);
    if (known == null) {
      known = table instanceof KeyedTable keyed ? bounded(keyed, options) : Optional.empty();
      bounded.put(division, known);
    }
    return known;
  }

  private Optional<Bounded> bounded(KeyedTable table, ConnectionOptions options) {
    TableColumn column = table.column(table.primaryKey().get(0));
    List<KeyRange> parts = joined(table, options);
    List<String> key = parts.get(0).key();
    // More of the key is named where parts would not be even by its first column.
    if (parts.size() == 1 || key.size() != 1 || !TableColumn.isNamed(key.get(0), column.name())
        || column.type().nullable() || !RangeFunction.TYPES.contains(column.type().type())) {
      return Optional.empty();
    }
    List<Long> own = parts.stream().skip(1)
        .map(part -> Long.parseLong(part.lower().get(0))).toList();
    List<List<Long>> others = bounded.values().stream().flatMap(Optional::stream)
        .map(Bounded::bounds).distinct().filter(each -> !each.equals(own)).toList();
    if (!others.isEmpty()) {
      List<KeyRange> fine =
          KeyRange.divided(table, options, url, snapshot, FINER * parts.size());
      for (List<Long> other : others) {
        if (divides(other, fine)) {
          return Optional.of(new Bounded(other, KeyRange.between(key,
              other.stream().map(String::valueOf).toList(), KeyRange.rowCount(fine))));
        }
      }
    }
    return Optional.of(new Bounded(own, parts));
  }

  /**
   * Whether rows of a table make far fewer groups than they are, by those that the server finds first.
   *
   * @param keys what they are grouped by
   * @throws Untranslatable when the table has columns with names of statements
   */
  synchronized boolean hasFewGroups(
      RowSource.Table table, List<String> keys, ConnectionOptions options) throws Untranslatable {
    ScanStatement rows = ScanStatement.of(table).reading(keys).limitedTo(SAMPLE);
    List<String> names = Query.names(table, 0, keys.size());
    String sql = ScanStatement.of(new RowSource.Nested(rows, names)).groupedBy(List.of())
        .reading(List.of("uniqExact(tuple(" + String.join(", ", names) + ")) <= count() / " + ROWS_OF_GROUP))
        .sql();
    return fewGroups.computeIfAbsent(sql, ignored -> isTrue(sql, options));
  }

  private boolean isTrue(String sql, ConnectionOptions options) {
    try (BufferAllocator allocator =
            ArrowUtils.rootAllocator().newChildAllocator("magic facts", 0, Long.MAX_VALUE);
        ArrowBatches batches = MagicClient.of(options).query(url, sql, snapshot, 1, allocator);
        VectorSchemaRoot row = batches.next()) {
      return row != null && !String.valueOf(row.getVector(0).getObject(0)).equals("0");
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private List<KeyRange> joined(MagicTable table, ConnectionOptions options) {
    return KeyRange.joined(ranges(table, options), options.splitRows());
  }

  private synchronized List<KeyRange> ranges(MagicTable table, ConnectionOptions options) {
    return ranges.computeIfAbsent(Division.of(table, options),
        ignored -> KeyRange.of(table, options, url, snapshot, Long.MAX_VALUE));
  }

  /** Whether no part between bounds has more than twice as many rows as the average. */
  private static boolean divides(List<Long> bounds, List<KeyRange> fine) {
    long[] places = bounds.stream().mapToLong(Long::longValue).toArray();
    long[] rows = new long[bounds.size() + 1];
    int first = 0;
    for (KeyRange range : fine) {
      // A range belongs to each part that it may have rows in.
      int last = range.upper().isEmpty() ? bounds.size()
          : RangeFunction.place(places, Long.parseLong(range.upper().get(0)));
      for (int part = first; part <= last; part++) {
        rows[part] += range.rowCount();
      }
      first = last;
    }
    return Arrays.stream(rows).max().orElseThrow()
        <= 2 * Math.max(KeyRange.rowCount(fine) / rows.length, 1);
  }
}
