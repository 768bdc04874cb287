import Binlog
import MagicCore

/// The catalog while it is being changed, shared by those who read the stream and those who store.
final class CatalogState {
  var catalog: Catalog {
    didSet { changes += 1 }
  }
  /// Grows with every change.
  private(set) var changes = 0
  /// Tables that have no storage yet.
  var created: [TableDefinition] = []
  /// Tables whose storage is not needed any more, which is removed with the next publication.
  var dropping: [ReplicatedTable] = []

  init(_ catalog: Catalog) { self.catalog = catalog }

  /// Lets a table no longer follow the stream, see ``ReplicatedTable/stop(_:at:shownAt:)``.
  func stop(
    _ id: UInt64, _ reason: String, at position: BinlogPosition, shownAt shown: BinlogPosition
  ) {
    guard let known = catalog[id: id] else { return }
    var table = known
    if table.stop(reason, at: position, shownAt: shown) { dropping.append(known) }
    catalog.update(table)
  }

  /// Gives up what is stored of a table that nobody sees yet, to copy it from the beginning.
  func copyAnew(_ table: ReplicatedTable, isReadAtOnce: Bool? = nil) {
    catalog.remove(id: table.id)
    if table.hasStorage { dropping.append(table) }
    catalog.addWanted(table.name, isReadAtOnce: isReadAtOnce)
  }
}
