import Arrow
import MagicCore
import RowEncoding

/// What is stored next: the rows together with the checkpoint after them, in one step.
struct Publication: Sendable {
  struct Rows: Sendable {
    var table: TableDefinition
    var rows: EncodedRows
    /// Whether the copy may lack rows that the stream changes, since their copying goes on.
    var isPartial: Bool
  }

  /// Changes that wait for the end of their table's copying, to be stored before.
  struct Relayed: Sendable {
    var fileName: String
    var events: [[UInt8]]
    var offset: UInt64
  }

  /// Storage to be made first.
  var created: [TableDefinition]
  var rows: [Rows]
  var relayed: [Relayed]
  /// The end of the last transaction among the rows; nil when a transaction is still open.
  var checkpoint: Checkpoint?
  /// The files that are not needed after it.
  var endedFiles: [String] = []
}

extension TransactionAssembler {
  /// Takes everything that waits.
  ///
  /// - Throws: `EncodingError` when a table's rows are more than one batch can hold.
  func takePublication() throws -> Publication {
    var rows: [Publication.Rows] = []
    for assembly in assemblies.values where assembly.encoder.rowCount > 0 {
      let counters = assembly.encoder.takeCounters()
      checkpoint.counters.zeroDates += UInt64(counters.zeroDates)
      checkpoint.counters.invalidTexts += UInt64(counters.invalidTexts)
      rows.append(
        Publication.Rows(
          table: assembly.definition, rows: try assembly.encoder.finishRows(),
          isPartial: assembly.table.state == .copying && assembly.table.isReadAtOnce != true))
      assembly.byteCount = 0
    }
    if checkpoint.gtid != nil { checkpoint.gtids = gtids.description }
    var relayed: [Publication.Relayed] = []
    for (id, changes) in self.relayed {
      let (events, offset) = changes.take()
      if !events.isEmpty {
        relayed.append(.init(fileName: changes.name, events: events, offset: offset))
      }
      if isAtBarrier {
        checkpoint.relayed = checkpoint.relayed ?? [:]
        checkpoint.relayed?[id] = changes.length
      }
    }
    defer {
      state.created = []
      pendingBytes = 0
      hasPendingChanges = false
    }
    var publication = Publication(
      created: state.created.filter { state.catalog[id: $0.id]?.hasStorage ?? false }, rows: rows,
      relayed: relayed)
    if isAtBarrier {
      publication.checkpoint = checkpoint
      publication.endedFiles = endedFiles
      endedFiles = []
    }
    return publication
  }
}
