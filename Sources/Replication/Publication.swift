import Arrow
import MagicCore

/// What is stored next: changes of the catalog, which may be repeated, and then the rows together
/// with the checkpoint after them, in one step.
struct Publication: Sendable {
  /// Storage of tables that the source dropped and created anew.
  var removed: [TableDefinition]
  var created: [TableDefinition]
  /// The catalog with it.
  var latestCatalog: Catalog
  /// The catalog, when it changed.
  var catalog: Catalog?
  var batches: [(table: TableDefinition, batch: RecordBatch)]
  /// The end of the last transaction among the rows; nil when a transaction is still open.
  var checkpoint: Checkpoint?
  /// Tables that have reached a commit point and may be seen.
  var shown: [TableDefinition]
}

extension TransactionAssembler {
  /// Takes everything that waits.
  ///
  /// - Throws: `EncodingError` when a table's rows are more than one batch can hold.
  func takePublication() throws -> Publication {
    var batches: [(table: TableDefinition, batch: RecordBatch)] = []
    for assembly in tables.values where assembly.encoder.rowCount > 0 {
      let counters = assembly.encoder.takeCounters()
      checkpoint.counters.zeroDates += UInt64(counters.zeroDates)
      checkpoint.counters.invalidTexts += UInt64(counters.invalidTexts)
      batches.append((assembly.definition, try assembly.encoder.finish()))
    }
    if checkpoint.gtid != nil { checkpoint.gtids = gtids.description }
    let publication = Publication(
      removed: removed, created: created, latestCatalog: catalog,
      catalog: catalogChanged ? catalog : nil,
      batches: batches, checkpoint: isBetweenTransactions ? checkpoint : nil,
      shown: isBetweenTransactions ? takeShown() : [])
    storedCatalog = catalog
    removed = []
    created = []
    catalogChanged = false
    pendingBytes = 0
    hasPendingChanges = false
    return publication
  }

  /// The tables that the stream has just brought to a commit point of the source.
  private func takeShown() -> [TableDefinition] {
    var definitions: [TableDefinition] = []
    // New tables appear together, when the stream has reached the position of the last of them.
    guard let latest = catalog.tables.compactMap(\.copyPosition).max(), position >= latest else {
      return []
    }
    for assembly in tables.values where !assembly.isShown {
      assembly.isShown = true
      definitions.append(assembly.definition)
    }
    return definitions
  }
}
