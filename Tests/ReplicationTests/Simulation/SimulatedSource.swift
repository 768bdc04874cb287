import Arrow
import Binlog
import MySQLSchema
import RowEncoding
import Synchronization

@testable import Replication

/// The connection to the source is lost.
struct SimulatedLoss: Error {}

/// A simulated server as replication sees it.
struct SimulatedSource: ReplicationSource {
  let simulation: Simulation

  var canFailOver: Bool { false }

  func identity() async throws -> String { "simulated" }

  func isTransient(_ error: any Error) -> Bool { error is SimulatedLoss }

  func foldsNames() -> Bool { false }

  func tellsWholeRows() -> Bool { true }

  func snapshot(of filter: TableFilter) async throws -> any SourceSnapshot {
    try simulation.mayLoseConnection()
    return simulation.withServer { server in
      SimulatedSnapshot(
        simulation: simulation, position: server.position, content: server.tables)
    }
  }

  func reader() async throws -> any RangeReader {
    try simulation.mayLoseConnection()
    return SimulatedReader(simulation: simulation)
  }

  func ranges(of schema: TableSchema, estimatedRows: UInt64, rowsPerRange: Int) async throws
    -> [SourceKeyRange]?
  {
    try simulation.mayLoseConnection()
    return switch simulation.random(3) {
    case 0: nil
    case 1: [SourceKeyRange()]
    default:
      [
        SourceKeyRange(through: ["3"]), SourceKeyRange(after: ["3"], through: ["7"]),
        SourceKeyRange(after: ["7"]),
      ]
    }
  }

  func nextBoundary(of schema: TableSchema, after key: [String]?, rowCount: Int) async throws
    -> [String]?
  {
    try simulation.mayLoseConnection()
    let table = simulation.withServer { $0.tables[schema.name] }
    guard let table, table.hasKey, table.schema(schema.name) == schema else {
      throw SchemaChanged()
    }
    let after = key.flatMap { Int32($0[0]) } ?? .min
    let keys = table.rows.map { $0[0] }.filter { $0 > after }.sorted()
    return keys.count > rowCount ? ["\(keys[rowCount - 1])"] : nil
  }

  func stream(from start: StreamStart) async throws -> any BinlogEventSource {
    try simulation.mayLoseConnection()
    guard case .position(let position) = start else { throw SimulatedLoss() }
    return SimulatedStream(simulation: simulation, position: position)
  }

  func currentPosition() async throws -> BinlogPosition { simulation.withServer { $0.position } }

  func binlogBytes(from start: BinlogPosition, to end: BinlogPosition) async throws -> UInt64? {
    nil
  }
}

struct SimulatedSnapshot: SourceSnapshot {
  let simulation: Simulation
  let position: BinlogPosition
  let content: [TableName: SimulatedTable]

  var gtid: String? { nil }

  func tables(_ filter: TableFilter) async throws -> [SnapshotTable] {
    try simulation.mayLoseConnection()
    return content.sorted { $0.key < $1.key }.filter { filter.selects($0.key) }.map {
      name, table in
      .table(
        table.schema(name),
        SourceStatistics(rows: UInt64(table.rows.count), bytes: 1, hasCascades: false))
    }
  }

  func rows(of schema: TableSchema, version: UInt64, options: EncodingOptions, isOrdered: Bool)
    async throws -> any SnapshotRows
  {
    try simulation.mayLoseConnection()
    guard let table = content[schema.name] else { throw SchemaChanged() }
    return SimulatedRows(
      simulation: simulation, schema: schema, version: version, readThrough: nil, rows: table.rows)
  }

  func close() async {}
}

struct SimulatedReader: RangeReader {
  let simulation: Simulation

  func rows(
    of schema: TableSchema, in range: SourceKeyRange, version: UInt64, options: EncodingOptions
  ) async throws -> any SnapshotRows {
    try simulation.mayLoseConnection()
    let (table, position) = simulation.withServer { ($0.tables[schema.name], $0.position) }
    guard let table, table.schema(schema.name) == schema else { throw SchemaChanged() }
    let after = range.after.flatMap { Int32($0[0]) } ?? .min
    let through = range.through.flatMap { Int32($0[0]) } ?? .max
    return SimulatedRows(
      simulation: simulation, schema: schema, version: version, readThrough: position,
      rows: table.rows.filter { $0[0] > after && $0[0] <= through })
  }

  func close() async {}
}

/// Rows as of one moment, which come in two batches.
final class SimulatedRows: SnapshotRows {
  let readThrough: BinlogPosition?
  private let simulation: Simulation
  private let schema: TableSchema
  private let version: UInt64
  private let batches: Mutex<[[[Int32]]]>

  init(
    simulation: Simulation, schema: TableSchema, version: UInt64, readThrough: BinlogPosition?,
    rows: [[Int32]]
  ) {
    self.simulation = simulation
    self.schema = schema
    self.version = version
    self.readThrough = readThrough
    let middle = rows.count / 2
    batches = Mutex([Array(rows[..<middle]), Array(rows[middle...])].filter { !$0.isEmpty })
  }

  func next() async throws -> SnapshotBatch? {
    // Everything else goes on meanwhile.
    await simulation.suspendWorker()
    try simulation.mayLoseConnection()
    let rows = batches.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    guard let rows else { return nil }
    let encoder = try TableEncoder(schema: schema)
    for row in rows {
      let cells = row.map { Array("\($0)".utf8) }
      let ends = cells.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
      try Array(cells.joined()).withUnsafeBytes { bytes in
        try encoder.appendText(
          row: { UnsafeRawBufferPointer(rebasing: bytes[ends[$0]..<ends[$0 + 1]]) },
          version: version)
      }
    }
    return SnapshotBatch(rows: try encoder.finish(), counters: EncodingCounters(), byteCount: 100)
  }
}

/// The binlog of a simulated server. Whatever else happens, happens while it is asked for events.
final class SimulatedStream: BinlogEventSource {
  private let simulation: Simulation
  private let position: Mutex<BinlogPosition>
  private let isBegun = Mutex(false)

  init(simulation: Simulation, position: BinlogPosition) {
    self.simulation = simulation
    self.position = Mutex(position)
  }

  func next(within limit: Duration?) async throws -> EventBatch? {
    let start = position.withLock { $0 }
    if isBegun.withLock({ isBegun in
      defer { isBegun = true }
      return !isBegun
    }) {
      return EventBatch(events: simulation.withServer { $0.beginning(at: start) })
    }
    guard try await simulation.goOn(before: start) else { return nil }
    let count = simulation.random(6) + (limit == nil ? 1 : 0)
    let (events, end) = simulation.withServer { $0.events(after: start, limit: count) }
    position.withLock { $0 = end }
    return EventBatch(events: events)
  }

  func close() async {}
}
