import FoundationEssentials
import MagicAPI
import MagicCore

/// Tables that a client sends along with a statement: a file of a form for each, with the name of
/// the table, and parameters that tell its columns and its format.
///
/// They are temporary tables of the statement's session, or of one made for it, for as long as the
/// statement runs.
struct ExternalTables: Sendable {
  private struct Table: Sendable {
    var name: String
    var structure: String
    var format: String
    var content: [UInt8]
  }

  private var tables: [Table] = []

  /// Takes the fields of a form into the parameters, and the tables out of it.
  ///
  /// - Throws: ``RequestError`` when the form or a table's description is wrong.
  init(_ content: [UInt8], boundary: String, _ parameters: inout URLParameters) throws(RequestError)
  {
    let form: MultipartForm
    do {
      form = try MultipartForm(content, boundary: boundary)
    } catch {
      throw RequestError("The form (multipart/form-data) is malformed")
    }
    for part in form.parts where !part.isFile {
      guard let text = String(validating: part.content, as: UTF8.self) else {
        throw RequestError("The field '\(part.name)' is not valid UTF-8")
      }
      try parameters.add(part.name, text)
    }
    for part in form.parts where part.isFile {
      let format = parameters.take(part.name + "_format") ?? "TabSeparated"
      let types = parameters.take(part.name + "_types").map { types in
        types.split(separator: ",").enumerated().map { "_\($0 + 1) \($1)" }.joined(separator: ", ")
      }
      guard let structure = parameters.take(part.name + "_structure") ?? types else {
        throw RequestError(
          "The table '\(part.name)' has no columns: give them in '\(part.name)_structure'")
      }
      tables.append(
        Table(
          name: part.name, structure: structure, format: format, content: Array(part.content)))
    }
  }

  /// Runs a statement that may read the tables.
  func run(
    _ request: StatementRequest, format: String, by service: any MagicService
  ) async throws -> StatementResult {
    guard !tables.isEmpty else { return try await service.run(request, format: format, input: nil) }
    var request = request
    if request.session == nil {
      request.session = SessionRequest(name: "external tables of \(UUID().uuidString)")
    }
    // Not before it is known that no statement of the session still uses it.
    let drop: @Sendable () async -> Void = { [request] in
      for table in tables {
        _ = try? await execute(
          "DROP TEMPORARY TABLE IF EXISTS \(quotedIdentifier(table.name))", nil, request, service)
      }
    }
    do {
      for table in tables { try await make(table, request, service) }
      let result = try await service.run(request, format: format, input: nil)
      return StatementResult(
        format: result.format, changedRows: result.changedRows, commitPoint: result.commitPoint,
        next: {
          do {
            if let chunk = try await result.next() { return chunk }
            await drop()
            return nil
          } catch {
            await drop()
            throw error
          }
        },
        cancel: {
          await result.cancel()
          await drop()
        })
    } catch {
      await drop()
      throw error
    }
  }

  private func make(
    _ table: Table, _ request: StatementRequest, _ service: any MagicService
  ) async throws {
    let name = quotedIdentifier(table.name)
    try await execute(
      "CREATE TEMPORARY TABLE \(name) (\(table.structure)\n)", nil, request, service)
    let content = table.content
    try await execute(
      "INSERT INTO \(name) FORMAT \(table.format)\n", content, request, service)
  }

  private func execute(
    _ sql: String, _ content: [UInt8]?, _ request: StatementRequest, _ service: any MagicService
  ) async throws {
    var statement = StatementRequest(sql)
    statement.session = request.session
    let result = try await service.run(
      statement, format: "TabSeparated", input: content.map { StatementInput(once: $0) })
    while try await result.next() != nil {}
  }
}
