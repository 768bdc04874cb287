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
}
