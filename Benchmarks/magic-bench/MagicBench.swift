import Arrow
import Binlog
import Foundation
import Glibc
import MySQLSchema
import RowEncoding

/// Measures the decoding of binlog files into Arrow batches, with nothing behind it
/// (`magic-bench decode --schema DUMP FILE…`), and latches beside etcd's locks
/// (`magic-bench latch-load|latch-node|etcd-lock NAME=VALUE…`).
@main
struct MagicBench {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    do {
      switch arguments.first {
      case "latch-load": return try await LatchLoad(arguments.dropFirst()).run()
      case "latch-node": return try await NodeLoad(arguments.dropFirst()).run()
      case "etcd-lock": return try await EtcdLoad(arguments.dropFirst()).run()
      default: break
      }
    } catch {
      fail("\(error)")
    }
    guard arguments.count > 3, arguments.starts(with: ["decode", "--schema"]) else {
      fail("usage: magic-bench decode --schema DUMP FILE…")
    }
    do {
      let dump = try Data(contentsOf: URL(filePath: arguments[3]))
      var decoding = try Decoding(tables: parseSchemaDump(Array(dump)).tables)
      let start = ContinuousClock.now
      for file in arguments.dropFirst(3) { try decoding.read(file) }
      try decoding.finish()
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      print(
        "\(decoding.changes) row changes in \(decoding.batches) batches, "
          + "\(Int(Double(decoding.changes) / seconds)) rows/s, "
          + "\(Int(Double(decoding.bytes) / seconds / 1e6)) MB/s")
    } catch {
      fail("\(error)")
    }
  }

  static func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("magic-bench: \(message)\n".utf8))
    exit(1)
  }
}

/// Row changes on their way from files into batches, which are dropped once they are complete.
struct Decoding {
  private static let chunkByteCount = 1 << 20
  /// How many bytes of row images go into the batches before they are completed.
  private static let batchByteCount = 32 << 20

  private var encoders: [TableName: TableEncoder] = [:]
  private var nextVersion: UInt64 = 1
  private var pendingByteCount = 0
  private(set) var batches = 0
  private(set) var bytes = 0
  /// One for each row change, whatever the number of rows that it gives.
  var changes: UInt64 { nextVersion - 1 }

  init(tables: [TableSchema]) throws {
    for table in tables { encoders[table.name] = try TableEncoder(schema: table) }
  }

  mutating func read(_ path: String) throws {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    defer { close(file) }
    var chunk = [UInt8](repeating: 0, count: Self.chunkByteCount)
    var framer = EventFramer(file: path)
    var decoder = BinlogDecoder(file: path)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      guard count >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
      if count == 0 { break }
      bytes += count
      try framer.push(chunk.span.bytes.extracting(first: count)) { event, offset in
        try decoder.decode(event, at: offset) { event, bytes in
          guard case .rows(let rows) = event.body else { return }
          try append(rows, in: bytes)
        }
      }
    }
    try framer.finish()
  }

  private mutating func append(_ rows: RowsEvent, in bytes: RawSpan) throws {
    let name = TableName(database: rows.tableMap.database, table: rows.tableMap.table)
    guard let encoder = encoders[name] else { return }
    try encoder.append(rows, in: bytes, nextVersion: &nextVersion)
    pendingByteCount += rows.images.count
    if pendingByteCount >= Self.batchByteCount { try finish() }
  }

  /// Completes the batch of every table.
  mutating func finish() throws {
    for encoder in encoders.values where encoder.rowCount > 0 {
      _ = try encoder.finish()
      batches += 1
    }
    pendingByteCount = 0
  }
}
