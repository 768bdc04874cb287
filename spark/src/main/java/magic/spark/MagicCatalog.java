package magic.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * The databases of a Magic server as a catalog: {@code spark.sql.catalog.NAME=magic.spark.MagicCatalog}.
 */
public final class MagicCatalog implements TableCatalog, SupportsNamespaces {
  private static final int UNKNOWN_TABLE = 60;
  private static final int UNKNOWN_DATABASE = 81;
  /** Where mutable tables are stored. */
  private static final String STORAGE = "_magic";

  private String name;
  private ConnectionOptions options;
  private MagicClient client;
  private QuerySnapshots snapshots;

  @Override
  public void initialize(String catalog, CaseInsensitiveStringMap given) {
    name = catalog;
    options = ConnectionOptions.of(catalog, given);
    client = MagicClient.of(options);
    client.connect();
    snapshots = QuerySnapshots.of(options);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String[] defaultNamespace() {
    return new String[] {"default"};
  }

  @Override
  public String[][] listNamespaces() {
    return databases().stream().map(each -> new String[] {each}).toArray(String[][]::new);
  }

  @Override
  public String[][] listNamespaces(String[] namespace) throws NoSuchNamespaceException {
    if (namespace.length == 0) {
      return listNamespaces();
    }
    database(namespace);
    return new String[0][];
  }

  @Override
  public boolean namespaceExists(String[] namespace) {
    return namespace.length == 1 && match(databases(), namespace[0]).isPresent();
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace)
      throws NoSuchNamespaceException {
    database(namespace);
    return Map.of();
  }

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    String database = database(namespace);
    return tableNames(database).stream()
        .map(table -> Identifier.of(new String[] {database}, table))
        .toArray(Identifier[]::new);
  }

  @Override
  public Table loadTable(Identifier identifier) throws NoSuchTableException {
    JsonNode found = describe(identifier);
    String database = found.path("database").asText();
    String table = found.path("table").asText();
    Map<String, String> properties = new TreeMap<>();
    properties.put(PROP_PROVIDER, "magic");
    properties.put(PROP_TABLE_TYPE, found.path("kind").asText());
    properties.put("engine", found.path("engine").asText());
    String comment = found.path("comment").asText();
    if (!comment.isEmpty()) {
      properties.put(TableCatalog.PROP_COMMENT, comment);
    }
    List<String> key = new ArrayList<>();
    found.path("primaryKey").forEach(each -> key.add(each.asText()));
    if (!key.isEmpty()) {
      properties.put("primaryKey", String.join(", ", key));
    }
    return new MagicTable(name, database, table, columns(identifier, database, table, null),
        properties, options, snapshots, Optional.empty());
  }

  /** The table as it is at a snapshot, whose name is the version. */
  @Override
  public Table loadTable(Identifier identifier, String version) throws NoSuchTableException {
    if (identifier.namespace().length != 1) {
      throw new NoSuchTableException(identifier);
    }
    String database = identifier.namespace()[0];
    List<TableColumn> columns = columns(identifier, database, identifier.name(), version);
    return new MagicTable(name, database, identifier.name(), columns,
        Map.of(PROP_PROVIDER, "magic", "snapshot", version), options, snapshots,
        Optional.of(new PinnedSnapshot(client.url(), version)));
  }

  @Override
  public Table loadTable(Identifier identifier, long timestamp) {
    throw new UnsupportedOperationException(
        "Magic reads earlier states by snapshots: write VERSION AS OF 'snapshot'");
  }

  @Override
  public boolean useNullableQuerySchema() {
    return false;
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata) {
    throw readOnly();
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) {
    throw readOnly();
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade) {
    throw readOnly();
  }

  @Override
  public Table alterTable(Identifier identifier, TableChange... changes) {
    throw readOnly();
  }

  @Override
  public boolean dropTable(Identifier identifier) {
    throw readOnly();
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    throw readOnly();
  }

  private static UnsupportedOperationException readOnly() {
    return new UnsupportedOperationException("This version of the Magic catalog only reads");
  }

  private List<String> databases() {
    List<String> names = new ArrayList<>();
    for (JsonNode each : client.call("databases", MagicClient.object()).json().path("databases")) {
      if (!each.asText().startsWith(STORAGE)) {
        names.add(each.asText());
      }
    }
    return names;
  }

  /** The database as it is called. */
  private String database(String[] namespace) throws NoSuchNamespaceException {
    Optional<String> found =
        namespace.length == 1 ? match(databases(), namespace[0]) : Optional.empty();
    return found.orElseThrow(() -> new NoSuchNamespaceException(namespace));
  }

  private List<String> tableNames(String database) {
    List<String> names = new ArrayList<>();
    ObjectNode request = MagicClient.object().put("database", pattern(database));
    client.call("tables", request).json().path("tables")
        .forEach(each -> names.add(each.path("table").asText()));
    return names;
  }

  /** What the server tells of a table, which is looked for as it is written first. */
  private JsonNode describe(Identifier identifier) throws NoSuchTableException {
    if (identifier.namespace().length != 1) {
      throw new NoSuchTableException(identifier);
    }
    JsonNode found = describe(identifier.namespace()[0], identifier.name());
    if (found == null && !SQLConf.get().caseSensitiveAnalysis()) {
      Optional<String> database = match(databases(), identifier.namespace()[0]);
      Optional<String> table =
          database.flatMap(each -> match(tableNames(each), identifier.name()));
      found = table.isPresent() ? describe(database.get(), table.get()) : null;
    }
    if (found == null) {
      throw new NoSuchTableException(identifier);
    }
    return found;
  }

  private JsonNode describe(String database, String table) {
    ObjectNode request = MagicClient.object()
        .put("database", pattern(database)).put("table", pattern(table));
    return client.call("tables", request).json().path("tables").get(0);
  }

  private List<TableColumn> columns(
      Identifier identifier, String database, String table, String snapshot)
      throws NoSuchTableException {
    String sql =
        "DESCRIBE TABLE " + TableColumn.quoted(database) + "." + TableColumn.quoted(table);
    List<TableColumn> columns = new ArrayList<>();
    try (BufferAllocator allocator =
            ArrowUtils.rootAllocator().newChildAllocator("magic columns", 0, Long.MAX_VALUE);
        ArrowBatches batches = client.query(client.url(), sql, snapshot, allocator)) {
      for (VectorSchemaRoot batch; (batch = batches.next()) != null; ) {
        try (VectorSchemaRoot rows = batch) {
          for (int row = 0; row < rows.getRowCount(); row++) {
            if (!text(rows, "default_type", row).equals("EPHEMERAL")) {
              columns.add(TableColumn.of(
                  text(rows, "name", row), text(rows, "type", row), text(rows, "comment", row)));
            }
          }
        }
      }
    } catch (MagicException error) {
      if (error.engineCode() == UNKNOWN_TABLE || error.engineCode() == UNKNOWN_DATABASE) {
        throw new NoSuchTableException(identifier);
      }
      throw error;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return columns;
  }

  private static String text(VectorSchemaRoot rows, String column, int row) {
    return String.valueOf(rows.getVector(column).getObject(row));
  }

  /** The name that is meant: the same, or the only one that differs in case. */
  private static Optional<String> match(List<String> names, String wanted) {
    if (names.contains(wanted) || SQLConf.get().caseSensitiveAnalysis()) {
      return names.stream().filter(wanted::equals).findFirst();
    }
    List<String> similar = names.stream().filter(wanted::equalsIgnoreCase).toList();
    return similar.size() == 1 ? Optional.of(similar.get(0)) : Optional.empty();
  }

  /** A LIKE pattern for exactly this name. */
  private static String pattern(String name) {
    return name.replaceAll("([\\\\%_])", "\\\\$1");
  }
}
