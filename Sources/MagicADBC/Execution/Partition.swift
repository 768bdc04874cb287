import CArrowABI
import Foundation
import MagicAPI
import MagicCore

/// A part of a result that can be read by itself, also by another connection to the same database.
struct Partition: Codable {
  /// A part of a table.
  private var scan: TableScan?
  /// The whole result of a statement that cannot be divided.
  private var statement: Whole?

  private struct Whole: Codable {
    var sql: String
    var database: String
    var snapshot: String
  }

  /// Into how many a result is divided unless an option says otherwise.
  static var defaultCount: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// Divides what a statement reads. All parts read one state, which stays readable for some
  /// minutes after its last use.
  static func divide(
    _ request: StatementRequest, into count: Int, service: any MagicService
  ) async throws -> [Partition] {
    guard let (database, table) = StatementText(request.sql).scannedTable else {
      let snapshot =
        if let snapshot = request.snapshot {
          snapshot
        } else {
          try await service.openSnapshot(SnapshotRequest(atLeast: request.atLeast)).id
        }
      return [
        Partition(
          statement: Whole(sql: request.sql, database: request.database, snapshot: snapshot))
      ]
    }
    let name = TableReference(database: database ?? request.database, table: table)
    if let gtids = request.atLeast {
      _ = try await service.commitPoint(atLeast: gtids, timeout: request.timeout)
    }
    let splits = try await service.split(name, into: count, snapshot: request.snapshot)
    return splits.ranges.map { range in
      var scan = TableScan(name)
      scan.range = range
      scan.snapshot = splits.snapshot.id
      return Partition(scan: scan)
    }
  }

  /// Reads a part of a result by its serialised form.
  static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Partition {
    do {
      return try JSONDecoder().decode(Partition.self, from: Data(bytes))
    } catch {
      throw DriverError.invalidArgument("the bytes are not a partition of this driver")
    }
  }

  /// Reads the rows.
  func read(_ service: any MagicService) async throws -> QueryResult {
    if let scan { return try await service.scan(scan) }
    guard let statement else {
      throw DriverError.invalidArgument("the bytes are not a partition of this driver")
    }
    var request = StatementRequest(statement.sql)
    request.database = statement.database
    request.snapshot = statement.snapshot
    return try await service.query(request)
  }

  private init(scan: TableScan? = nil, statement: Whole? = nil) {
    self.scan = scan
    self.statement = statement
  }
}

extension AdbcPartitions {
  /// Makes the structure in which partitions are handed out; the program releases it.
  init(_ partitions: [Partition]) throws {
    let serialised = try partitions.map { Array(try JSONEncoder().encode($0)) }
    let contents = UnsafeMutablePointer<UnsafePointer<UInt8>?>.allocate(capacity: serialised.count)
    let lengths = UnsafeMutablePointer<Int>.allocate(capacity: serialised.count)
    for (index, bytes) in serialised.enumerated() {
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
      copy.initialize(from: bytes, count: bytes.count)
      (contents + index).initialize(to: UnsafePointer(copy))
      (lengths + index).initialize(to: bytes.count)
    }
    self.init(
      num_partitions: serialised.count, partitions: contents,
      partition_lengths: UnsafePointer(lengths), private_data: nil,
      release: { AdbcPartitions.release($0) })
  }

  private static func release(_ pointer: UnsafeMutablePointer<AdbcPartitions>?) {
    guard let pointer, pointer.pointee.release != nil else { return }
    for index in 0..<pointer.pointee.num_partitions {
      pointer.pointee.partitions[index]?.deallocate()
    }
    pointer.pointee.partitions.deallocate()
    pointer.pointee.partition_lengths.deallocate()
    pointer.initialize(to: AdbcPartitions())
  }
}
