import Arrow
import Foundation
import MagicAPI
import MagicCore

extension FlightService {
  /// Writes the rows of a bulk ingestion.
  ///
  /// - Returns: how many rows there were.
  func ingest(
    _ command: ProtoCommandStatementIngest, _ rows: IncomingRows, _ call: inout Call
  ) async throws -> Int {
    try requireCatalog(command.hasCatalog ? command.catalog : nil)
    try await rows.requireSchema()
    let hasDatabase = command.hasSchema && !command.schema.isEmpty
    var write = TableWrite(
      TableReference(
        database: hasDatabase ? command.schema : call.session.database, table: command.table))
    write.fencingToken = call.session.fencingToken
    let options = command.tableDefinitionOptions
    write.whenExisting =
      switch options.ifExists {
      case .fail: .fail
      case .append: .append
      case .replace: .replace
      case .unspecified, .UNRECOGNIZED:
        throw APIError.invalid("the ingestion does not say what to do when the table exists")
      }
    let key = command.options["primary_key"]?.split(separator: ",").map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    write.whenMissing =
      switch options.ifNotExist {
      case .create: .create(primaryKey: key ?? [])
      case .fail: .fail
      case .unspecified, .UNRECOGNIZED:
        throw APIError.invalid("the ingestion does not say what to do when there is no table")
      }
    for (name, value) in command.options {
      switch name {
      case "primary_key": break
      case "token": write.token = value
      case "action":
        guard let action = WriteRequest.Action(rawValue: value) else {
          throw APIError.invalid(
            "the option action must be insert, upsert, delete or import, not \(value)")
        }
        write.action = action
      default:
        throw APIError.invalid(
          "no ingestion option \(name): there are primary_key, token and action")
      }
    }
    if command.hasTransactionID { write.transaction = try self.name(command.transactionID) }
    if command.temporary {
      guard !hasDatabase else { throw APIError.invalid("a temporary table is in no schema") }
      changeSession(of: &call) { $0.isHeldByEngine = true }
      return try await call.service.writeTemporary(write, rows: rows, in: call.request(""))
    }
    return try await call.service.write(write, rows: rows)
  }

  /// - Throws: when a catalog is named that there is not.
  func requireCatalog(_ catalog: String?) throws(APIError) {
    guard let catalog, !catalog.isEmpty, catalog != FlightConfiguration.catalog else { return }
    throw APIError.notFound(
      "there is no catalog \(catalog): databases are schemas of the catalog "
        + FlightConfiguration.catalog)
  }
}
