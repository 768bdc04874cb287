import Backup
import Compression
import Foundation
import MagicAPI
import MagicCore

/// Writes what a plan tells, as of its snapshot.
struct BackupRun: Sendable {
  /// A part of a table's rows is complete once it has so many bytes.
  private static let partByteCount = 32 << 20

  let snapshot: String
  let service: any MagicService
  let target: BackupTarget
  /// How many tables are read at a time.
  let threads: Int
  let progress: BackupProgress

  /// Puts the snapshot's end off until the task is cancelled.
  func keepSnapshot() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(20))
      _ = try? await service.renew(snapshot: snapshot)
    }
  }

  /// - Returns: the manifest, which is the last that was written.
  func write(_ plan: Manifest) async throws -> Manifest {
    _ = try await target.write(try plan.encoded(), as: Manifest.planName)
    var manifest = plan
    for group in plan.loadOrder {
      try await withThrowingTaskGroup(of: (Int, Manifest.Table).self) { tasks in
        var waiting = group[...]
        for _ in 0..<threads {
          if let index = waiting.popFirst() {
            tasks.addTask { (index, try await write(plan.tables[index], at: index)) }
          }
        }
        while let (index, table) = try await tasks.next() {
          manifest.tables[index] = table
          if let index = waiting.popFirst() {
            tasks.addTask { (index, try await write(plan.tables[index], at: index)) }
          }
        }
      }
    }
    try await target.finish(manifest)
    return manifest
  }

  private func write(_ table: Manifest.Table, at index: Int) async throws -> Manifest.Table {
    do {
      var table = table
      let before = try await count(table.declared)
      try await writeRows(of: &table, at: index)
      let after = isPinned(table.declared) ? before : try await count(table.declared)
      if before == after, table.declared.kind != .materializedView { table.rowCount = after }
      progress.end(table: index, rows: after)
      return table
    } catch let error as APIError {
      throw Failure("\(table.declared.name): \(error)")
    }
  }

  /// Whether the table is part of commit points.
  private func isPinned(_ table: DatabaseContents.Table) -> Bool {
    table.kind == .replicated || table.kind == .mutable
  }

  private func request(_ sql: String, _ table: DatabaseContents.Table) -> StatementRequest {
    var request = StatementRequest(sql)
    if isPinned(table) { request.snapshot = snapshot }
    return request
  }

  private func count(_ table: DatabaseContents.Table) async throws -> UInt64 {
    let result = try await service.run(
      request("SELECT count() FROM \(table.name.quoted)", table), format: "TSV", input: nil)
    var text: [UInt8] = []
    while let chunk = try await result.next() { text += chunk }
    guard let count = UInt64(String(decoding: text, as: UTF8.self).prefix { $0.isNumber }) else {
      throw Failure("the rows of \(table.name) cannot be counted")
    }
    return count
  }

  private func writeRows(of table: inout Manifest.Table, at index: Int) async throws {
    let request = request(
      "SELECT \(table.declared.columns.list) FROM \(table.declared.name.quoted)", table.declared)
    let result = try await service.run(request, format: "Native", input: nil)
    var compressor = try Compressor(.zstd)
    var part: [UInt8] = []
    func end(isLast: Bool) async throws {
      part += try compressor.finish()
      let name = PartName(table: index, number: table.files.count, isLast: isLast)
      table.files.append(try await target.write(part, as: "\(name)"))
      part = []
    }
    while let chunk = try await result.next() {
      part += try chunk.withUnsafeBytes { bytes throws(CompressionError) in
        try compressor.compress(bytes)
      }
      progress.add(bytes: chunk.count, toTable: index)
      if part.count >= Self.partByteCount {
        try await end(isLast: false)
        compressor = try Compressor(.zstd)
      }
    }
    try await end(isLast: true)
  }
}
