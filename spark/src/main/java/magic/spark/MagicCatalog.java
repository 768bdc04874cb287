package magic.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.connector.catalog.Changelog;
import org.apache.spark.sql.connector.catalog.ChangelogContext;
import org.apache.spark.sql.connector.catalog.ChangelogRange;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.FunctionCatalog;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.catalog.TableWritePrivilege;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The databases of a Magic server as a catalog: {@code spark.sql.catalog.NAME=magic.spark.MagicCatalog}.
 */
public final class MagicCatalog implements StagingTableCatalog, SupportsNamespaces, FunctionCatalog {
  private static final Logger LOG = LoggerFactory.getLogger(MagicCatalog.class);
  private static final int UNKNOWN_TABLE = 60;
  private static final int UNKNOWN_DATABASE = 81;
  /** Where mutable tables are stored. */
  private static final String STORAGE = "_magic";
  /** The engine of tables that can be written to. */
  private static final String MUTABLE = "MutableMergeTree";

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
      properties.put(TableStatements.PRIMARY_KEY, String.join(", ", key));
    }
    List<TableColumn> columns =
        declared(identifier, database, table, null).stream().map(Declared::column).toList();
    if (!found.path("engine").asText().equals(MUTABLE)) {
      return new MagicTable(
          name, database, table, columns, properties, options, snapshots, Optional.empty());
    }
    return writable(database, table, columns, key, properties);
  }

  private WritableTable writable(String database, String table, List<TableColumn> columns,
      List<String> key, Map<String, String> properties) {
    return key.isEmpty()
        ? new WritableTable(name, database, table, columns, properties, options, snapshots)
        : new KeyedTable(name, database, table, columns, key, properties, options, snapshots);
  }

  /**
   * The table that is written to. Its columns may have nulls as far as Spark knows, and the server
   * refuses those that it does not take: Spark loses sight of what cannot be NULL in aggregates that
   * the server computes. What tells rows apart stays, unless rows are only added.
   */
  @Override
  public Table loadTable(Identifier identifier, Set<TableWritePrivilege> privileges)
      throws NoSuchTableException {
    Table table = loadTable(identifier);
    if (!(table instanceof WritableTable writable)) {
      return table;
    }
    List<String> key = table instanceof KeyedTable keyed ? keyed.primaryKey() : List.of();
    boolean isInsert = privileges.equals(Set.of(TableWritePrivilege.INSERT));
    List<TableColumn> columns = writable.tableColumns().stream()
        .map(each -> isInsert || !key.contains(each.name()) ? each.orNull() : each).toList();
    return writable(writable.database(), writable.table(), columns, key, table.properties());
  }

  /** The table as it is at a snapshot, whose name is the version. */
  @Override
  public Table loadTable(Identifier identifier, String version) throws NoSuchTableException {
    if (identifier.namespace().length != 1) {
      throw new NoSuchTableException(identifier);
    }
    String database = identifier.namespace()[0];
    List<TableColumn> columns = declared(identifier, database, identifier.name(), version).stream()
        .map(Declared::column).toList();
    return new MagicTable(name, database, identifier.name(), columns,
        Map.of(PROP_PROVIDER, "magic", "snapshot", version), options, snapshots,
        Optional.of(new PinnedSnapshot(client.url(), version, -1)));
  }

  @Override
  public Table loadTable(Identifier identifier, long timestamp) {
    throw new UnsupportedOperationException(
        "Magic reads earlier states by snapshots: write VERSION AS OF 'snapshot'");
  }

  /** The changes between two snapshots, whose names are the versions. */
  @Override
  public Changelog loadChangelog(
      Identifier identifier, ChangelogContext context, CaseInsensitiveStringMap given)
      throws NoSuchTableException {
    if (!(loadTable(identifier) instanceof KeyedTable table)) {
      // Spark would take another exception for a catalog that tells no changes.
      throw new IllegalArgumentException(
          "The changes of " + identifier + " cannot be told: its rows have no primary key");
    }
    String from = null;
    String to = null;
    if (context.range() instanceof ChangelogRange.VersionRange range) {
      from = range.startingVersion();
      to = range.endingVersion().orElse(null);
    } else if (!(context.range() instanceof ChangelogRange.UnboundedRange)) {
      throw new IllegalArgumentException(
          "Magic tells changes from snapshot to snapshot: write FROM VERSION 'snapshot'");
    }
    return new TableChanges(table, options, from, to);
  }

  /** There is one for each way to divide a table, by which scans tell how they are divided. */
  @Override
  public Identifier[] listFunctions(String[] namespace) {
    return new Identifier[0];
  }

  @Override
  public UnboundFunction loadFunction(Identifier identifier) throws NoSuchFunctionException {
    return RangeFunction.named(identifier.name())
        .orElseThrow(() -> new NoSuchFunctionException(identifier));
  }

  @Override
  public boolean useNullableQuerySchema() {
    return false;
  }

  @Override
  public Set<TableCatalogCapability> capabilities() {
    return Set.of(TableCatalogCapability.SUPPORT_TABLE_CONSTRAINT);
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata)
      throws NamespaceAlreadyExistsException {
    if (namespace.length != 1) {
      throw new UnsupportedOperationException("A Magic server has databases, and nothing in them "
          + "but tables: " + String.join(".", namespace) + " cannot be one");
    }
    if (namespaceExists(namespace)) {
      throw new NamespaceAlreadyExistsException(namespace);
    }
    execute("CREATE DATABASE " + TableColumn.quoted(namespace[0])
        + TableStatements.comment(metadata.get(TableCatalog.PROP_COMMENT)));
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) {
    throw new UnsupportedOperationException("The databases of a Magic server cannot be altered");
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade)
      throws NoSuchNamespaceException, NonEmptyNamespaceException {
    String database = database(namespace);
    if (!cascade && !tableNames(database).isEmpty()) {
      throw new NonEmptyNamespaceException(namespace);
    }
    execute("DROP DATABASE " + TableColumn.quoted(database));
    return true;
  }

  @Override
  public Table createTable(Identifier identifier, TableInfo info)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    String database = database(identifier.namespace());
    TableStatements.check(info);
    List<String> key = TableStatements.primaryKey(info);
    try {
      execute(TableStatements.create(database, identifier.name(), info, key));
      return loadTable(identifier);
    } catch (MagicException error) {
      if (error.kind().equals("alreadyExists")) {
        throw new TableAlreadyExistsException(identifier);
      }
      throw error;
    } catch (NoSuchTableException gone) {
      throw new IllegalStateException("The new table " + identifier + " is gone already", gone);
    }
  }

  @Override
  public StagedTable stageCreate(Identifier identifier, TableInfo info)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    if (tableExists(identifier)) {
      throw new TableAlreadyExistsException(identifier);
    }
    return stage(identifier, info, "create");
  }

  @Override
  public StagedTable stageReplace(Identifier identifier, TableInfo info)
      throws NoSuchNamespaceException, NoSuchTableException {
    return stage(found(describe(identifier)), info, "replace");
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier identifier, TableInfo info)
      throws NoSuchNamespaceException {
    try {
      return stageReplace(identifier, info);
    } catch (NoSuchTableException missing) {
      return stage(identifier, info, "replace");
    }
  }

  /** The identifier of a table as the server has it. */
  private static Identifier found(JsonNode table) {
    return Identifier.of(
        new String[] {table.path("database").asText()}, table.path("table").asText());
  }

  /** A table that is made in a transaction. */
  private StagedTable stage(Identifier identifier, TableInfo info, String mode)
      throws NoSuchNamespaceException {
    String database = database(identifier.namespace());
    String table = identifier.name();
    TableStatements.check(info);
    List<String> key = TableStatements.primaryKey(info);
    List<TableColumn> columns = new ArrayList<>();
    for (Column column : info.columns()) {
      String type = TableStatements.declared(
          column.name(), column.dataType(), column.nullable() && !key.contains(column.name()));
      columns.add(TableColumn.of(column.name(), type, ""));
    }
    StructType schema =
        new StructType(columns.stream().map(TableColumn::field).toArray(StructField[]::new));
    WriteTransaction transaction = WriteTransaction.begin(options, begun ->
        begun.prepare(RowTarget.insert(database, table, begun.id()).as(mode, key), schema));
    Optional<String> comments = TableStatements.comments(database, table, info);
    return new StagedMagicTable(
        writable(database, table, columns.stream().map(TableColumn::orNull).toList(), key,
            info.properties()),
        transaction,
        () -> comments.ifPresent(this::describeNew));
  }

  /** Gives a table comments that is there already, so that a failure is no failure of the job. */
  private void describeNew(String statement) {
    try {
      execute(statement);
    } catch (MagicException error) {
      LOG.warn("The new table has no comments: {}", error.getMessage());
    }
  }

  @Override
  public Table alterTable(Identifier identifier, TableChange... changes)
      throws NoSuchTableException {
    JsonNode found = describe(identifier);
    String database = found.path("database").asText();
    String table = found.path("table").asText();
    List<Declared> declared = declared(identifier, database, table, null);
    Map<String, String> types = new TreeMap<>();
    declared.forEach(each -> types.put(each.column().name(), each.type()));
    execute(TableStatements.alter(
        database, table, declared.stream().map(Declared::column).toList(), types, changes));
    return loadTable(identifier);
  }

  @Override
  public boolean dropTable(Identifier identifier) {
    JsonNode found;
    try {
      found = describe(identifier);
    } catch (NoSuchTableException missing) {
      return false;
    }
    if (found.path("kind").asText().equals("VIEW")) {
      throw new UnsupportedOperationException(
          identifier + " is a view of the server's: drop it there, with DROP VIEW");
    }
    execute("DROP TABLE " + TableStatements.name(
        found.path("database").asText(), found.path("table").asText()));
    return true;
  }

  @Override
  public void renameTable(Identifier from, Identifier to)
      throws NoSuchTableException, TableAlreadyExistsException {
    JsonNode found = describe(from);
    if (tableExists(to)) {
      throw new TableAlreadyExistsException(to);
    }
    String database = to.namespace().length == 0
        ? found.path("database").asText() : to.namespace()[0];
    execute("RENAME TABLE "
        + TableStatements.name(found.path("database").asText(), found.path("table").asText())
        + " TO " + TableStatements.name(database, to.name()));
  }

  private void execute(String sql) {
    client.execute(client.url(), sql, null);
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
    ObjectNode request = MagicClient.object().put("database", MagicClient.pattern(database));
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
        .put("database", MagicClient.pattern(database)).put("table", MagicClient.pattern(table));
    return client.call("tables", request).json().path("tables").get(0);
  }

  /**
   * A column as the server declares it.
   *
   * @param column what Spark has of it
   * @param type the server's
   */
  private record Declared(TableColumn column, String type) {}

  private List<Declared> declared(
      Identifier identifier, String database, String table, String snapshot)
      throws NoSuchTableException {
    String sql = "DESCRIBE TABLE " + TableStatements.name(database, table);
    List<Declared> columns = new ArrayList<>();
    try (BufferAllocator allocator =
            ArrowUtils.rootAllocator().newChildAllocator("magic columns", 0, Long.MAX_VALUE);
        ArrowBatches batches = client.query(client.url(), sql, snapshot, options.batchRows(), allocator)) {
      for (VectorSchemaRoot batch; (batch = batches.next()) != null; ) {
        try (VectorSchemaRoot rows = batch) {
          for (int row = 0; row < rows.getRowCount(); row++) {
            if (!text(rows, "default_type", row).equals("EPHEMERAL")) {
              String type = text(rows, "type", row);
              columns.add(new Declared(
                  TableColumn.of(text(rows, "name", row), type, text(rows, "comment", row)), type));
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
}
