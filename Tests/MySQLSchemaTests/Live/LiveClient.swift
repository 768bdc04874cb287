import Foundation
import MySQLSchema
import TestSupport

struct LiveClientError: Error {
  var description: String
}

/// The server's own client, kept open, so that a statement costs a millisecond.
///
/// It blocks; ``onThread(_:)`` keeps that off the threads of the tests.
final class LiveClient {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var pending = Data()
  private static let marker = "--end of statement--"

  init(_ server: MariaDBServer) throws {
    guard let path = findProgram("mariadb") else {
      throw LiveClientError(description: "mariadb not found")
    }
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = [
      "--no-defaults", "--socket=\(server.socketPath)", "--user=root", "--batch", "--force",
      "--skip-column-names", "--unbuffered", "--binary-mode", "--default-character-set=utf8mb4",
    ]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    _ = try rows("CREATE DATABASE d; USE d")
  }

  func close() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Runs a statement; nil when the server refuses it.
  func run(_ statement: String) throws -> [[String]]? {
    let end = "SELECT '\(Self.marker)', @@error_count;\n"
    try input.fileHandleForWriting.write(contentsOf: Data((statement + ";\n" + end).utf8))
    var rows: [[String]] = []
    while true {
      let line = try nextLine().components(separatedBy: "\t")
      if line.first == Self.marker { return line.last == "0" ? rows : nil }
      rows.append(line)
    }
  }

  /// Runs a statement that the server must accept.
  func rows(_ statement: String) throws -> [[String]] {
    guard let rows = try run(statement) else {
      throw LiveClientError(description: "refused: \(statement)")
    }
    return rows
  }

  /// The table as the server declares it.
  func schema(of table: String) throws -> TableSchema {
    let text = unescaped(try rows("SHOW CREATE TABLE \(table)")[0][1])
    guard case .createTable(let create) = parseDDL(text, defaultDatabase: "d"),
      case .definition(let schema) = create.source
    else { throw LiveClientError(description: "not understood: \(text)") }
    return schema
  }

  private func nextLine() throws -> String {
    while true {
      if let end = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending = Data(pending[(end + 1)...])
        return line
      }
      let chunk = output.fileHandleForReading.availableData
      guard !chunk.isEmpty else { throw LiveClientError(description: "the client ended") }
      pending += chunk
    }
  }

  private func unescaped(_ text: String) -> String {
    var result = ""
    var characters = text.makeIterator()
    while let character = characters.next() {
      guard character == "\\", let escaped = characters.next() else {
        result.append(character)
        continue
      }
      result.append(["n": "\n", "t": "\t", "0": "\0"][escaped] ?? escaped)
    }
    return result
  }
}

/// Runs blocking code on a thread of its own.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws
  -> Result
{
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async {
      continuation.resume(with: Swift.Result(catching: body))
    }
  }
}

/// Gives `body` a client of a fresh server.
func withLiveClient(
  options: [String] = [], _ body: @escaping @Sendable (LiveClient) throws -> Void
) async throws {
  let server = try await MariaDBServer.start(options: ["--skip-log-bin"] + options)
  do {
    try await onThread {
      let client = try LiveClient(server)
      defer { client.close() }
      try body(client)
    }
  } catch {
    await server.stop()
    throw error
  }
  await server.stop()
}

// MARK: - Cells

/// How a test reads a column: as the text protocol gives it, in hexadecimal where bytes may be
/// anything.
func cellExpression(_ column: Column) -> String {
  let name = "`\(column.name)`"
  return switch column.type {
  case .integer: "\(name) + 0"
  case .float, .double: "\(name) * 1e0"
  case .enumeration, .set: "CAST(\(name) AS UNSIGNED)"
  case .string, .json: "HEX(CONVERT(\(name) USING utf8mb4))"
  case .binary, .bytes, .geometry: "HEX(\(name))"
  case .bit(let width): "LPAD(HEX(\(name) + 0), \((width + 7) / 8 * 2), '0')"
  case .decimal, .date, .datetime, .timestamp, .time, .year, .inet4, .inet6, .uuid, .vector: name
  }
}

/// The cell that a value of the plan must appear as.
func cell(_ text: [UInt8]?, _ type: ColumnType) -> String {
  guard let text else { return "NULL" }
  switch type {
  case .string, .json, .binary, .bytes, .geometry, .bit:
    return text.map { String(format: "%02X", $0) }.joined()
  case .float, .double: return number(String(decoding: text, as: UTF8.self))
  case .integer, .decimal, .date, .datetime, .timestamp, .time, .year, .enumeration, .set, .inet4,
    .inet6, .uuid, .vector:
    return String(decoding: text, as: UTF8.self)
  }
}

/// A cell of a column after its type was widened.
func widened(_ cell: String, from old: ColumnType, to new: ColumnType) -> String {
  guard cell != "NULL" else { return cell }
  switch (old, new) {
  case (.float, _), (.double, _): return number(cell)
  case (.decimal(_, let oldScale), .decimal(_, let scale)) where scale > oldScale:
    return cell + (oldScale == 0 ? "." : "") + String(repeating: "0", count: scale - oldScale)
  case (.datetime(let oldDigits), .datetime(let digits)),
    (.timestamp(let oldDigits), .timestamp(let digits)), (.time(let oldDigits), .time(let digits)):
    guard digits > oldDigits else { return cell }
    return cell + (oldDigits == 0 ? "." : "") + String(repeating: "0", count: digits - oldDigits)
  case (.binary, .binary(let length)):
    return cell + String(repeating: "0", count: max(0, length * 2 - cell.count))
  case (.bit, .bit(let width)):
    return String(repeating: "0", count: max(0, (width + 7) / 8 * 2 - cell.count)) + cell
  default: return cell
  }
}

/// A floating-point number in one spelling.
func number(_ text: String) -> String { Double(text).map { "\($0 == 0 ? 0 : $0)" } ?? text }
