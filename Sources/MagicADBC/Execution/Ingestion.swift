import Foundation
import MagicAPI
import MagicCore

/// What the options of a statement say about bulk ingestion.
struct Ingestion {
  /// What happens when the table exists, or does not.
  private enum Mode: String {
    case create = "adbc.ingest.mode.create"
    case append = "adbc.ingest.mode.append"
    case replace = "adbc.ingest.mode.replace"
    case createOrAppend = "adbc.ingest.mode.create_append"
  }

  /// The table's name; nil when nothing is ingested.
  private(set) var table: String?
  /// Whether the table lives in the connection's session and ends with it.
  private(set) var isTemporary = false
  private var schema: String?
  private var mode = Mode.create
  private var primaryKey: [String] = []
  private var action = WriteRequest.Action.insert

  /// The write that the options describe, `schema` being the database of names without one.
  func write(schema current: String) throws -> TableWrite {
    guard let table, !table.isEmpty else {
      throw DriverError.invalidState("the option adbc.ingest.target_table is not set")
    }
    guard schema == nil || !isTemporary else {
      throw DriverError.invalidArgument(
        "a temporary table is in no schema: leave adbc.ingest.target_db_schema out")
    }
    var write = TableWrite(TableReference(database: schema ?? current, table: table))
    write.action = action
    if mode != .append { write.whenMissing = .create(primaryKey: primaryKey) }
    write.whenExisting =
      switch mode {
      case .create: .fail
      case .append, .createOrAppend: .append
      case .replace: .replace
      }
    return write
  }

  /// - Returns: whether there is an option of that name.
  mutating func setOption(_ key: String, _ value: OptionValue?) throws -> Bool {
    let text = try value?.text(key)
    switch key {
    case "adbc.ingest.target_table": table = text
    case "adbc.ingest.target_catalog": try Connection.check(catalog: text)
    case "adbc.ingest.target_db_schema": schema = text.flatMap { $0.isEmpty ? nil : $0 }
    case "adbc.ingest.mode":
      guard let mode = Mode(rawValue: text ?? Mode.create.rawValue) else {
        throw DriverError.invalidArgument(
          "the option \(key) must be create, append, replace or create_append after "
            + "adbc.ingest.mode.")
      }
      self.mode = mode
    case "adbc.ingest.temporary":
      isTemporary = try value?.bool(key) ?? false
    case "magic.ingest.primary_key":
      primaryKey =
        text?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
    case "magic.ingest.action":
      guard let action = WriteRequest.Action(rawValue: text ?? "insert") else {
        throw DriverError.invalidArgument(
          "the option \(key) must be insert, upsert, delete or import")
      }
      self.action = action
    default: return false
    }
    return true
  }

  /// The value of an option that is set.
  func option(_ key: String) -> OptionValue? {
    switch key {
    case "adbc.ingest.target_table": table.map { .text($0) }
    case "adbc.ingest.target_catalog": .text(Connection.catalog)
    case "adbc.ingest.target_db_schema": schema.map { .text($0) }
    case "adbc.ingest.mode": .text(mode.rawValue)
    case "adbc.ingest.temporary": .bool(isTemporary)
    case "magic.ingest.primary_key": .text(primaryKey.joined(separator: ","))
    case "magic.ingest.action": .text(action.rawValue)
    default: nil
    }
  }
}
