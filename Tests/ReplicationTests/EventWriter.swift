import Binlog

/// Writes binlog events as a MySQL 5.7 server does, without checksums, for tests. All columns are INT.
struct EventWriter {
  /// The end of the last event.
  private(set) var offset: UInt32 = 4
  private(set) var events: [[UInt8]] = []
  var timestamp: UInt32 = 1_700_000_000

  init() { append(15, Self.formatDescription) }

  private static var formatDescription: [UInt8] {
    var body = little(4, 2) + Array("5.7.30-log".utf8)
    body += [UInt8](repeating: 0, count: 52 - body.count) + little(0, 4) + [19]
    // Lengths of the fixed parts of the events that are used here; the others are not looked at.
    var lengths = [UInt8](repeating: 0, count: 38)
    for (type, length) in [
      (2, 13), (4, 8), (15, 95), (19, 8), (30, 10), (31, 10), (32, 10), (33, 42),
    ] {
      lengths[type - 1] = UInt8(length)
    }
    return body + lengths
  }

  private static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private func little(_ value: UInt64, _ count: Int) -> [UInt8] { Self.little(value, count) }

  private mutating func append(_ type: UInt8, _ body: [UInt8]) {
    offset += UInt32(19 + body.count)
    events.append(event(type, body, nextPosition: offset, flags: 0))
  }

  private func event(_ type: UInt8, _ body: [UInt8], nextPosition: UInt32, flags: UInt64)
    -> [UInt8]
  {
    var event = little(UInt64(timestamp), 4) + [type] + little(1, 4)
    event += little(UInt64(19 + body.count), 4) + little(UInt64(nextPosition), 4)
    return event + little(flags, 2) + body
  }

  /// What a server sends first: the place that it goes on from, and how its events are read.
  func beginning(at position: BinlogPosition) -> [[UInt8]] {
    [
      event(
        4, little(position.offset, 8) + Array(position.file.utf8), nextPosition: 0, flags: 0x20),
      event(15, Self.formatDescription, nextPosition: 0, flags: 0x20),
    ]
  }

  mutating func query(_ statement: String, database: String = "shop") {
    var body = little(1, 4) + little(0, 4) + [UInt8(database.utf8.count)] + little(0, 4)
    body += Array(database.utf8) + [0] + Array(statement.utf8)
    append(2, body)
  }

  mutating func xid() { append(16, little(7, 8)) }

  /// The last event of a file.
  mutating func rotate(to file: String) { append(4, little(4, 8) + Array(file.utf8)) }

  /// The rows since BEGIN or XA START wait for an XA COMMIT, unless that is this event.
  mutating func xaPrepare(_ global: String, isOnePhase: Bool = false) {
    var body: [UInt8] = [isOnePhase ? 1 : 0] + little(1, 4)
    body += little(UInt64(global.utf8.count), 4) + little(0, 4) + Array(global.utf8)
    append(38, body)
  }

  /// A table of INT columns, the first of which is the key.
  mutating func tableMap(
    _ name: String, id: UInt64 = 1, database: String = "shop", columnCount: Int = 2
  ) {
    var body = little(id, 6) + little(1, 2)
    for text in [database, name] { body += [UInt8(text.utf8.count)] + Array(text.utf8) + [0] }
    body += [UInt8(columnCount)] + [UInt8](repeating: 3, count: columnCount)
    append(19, body + [0, 0b10])
  }

  mutating func insert(_ rows: [[Int32]], id: UInt64 = 1) { rowsEvent(30, id: id, 1, rows) }

  mutating func delete(_ rows: [[Int32]], id: UInt64 = 1) { rowsEvent(32, id: id, 1, rows) }

  mutating func update(_ rows: [(before: [Int32], after: [Int32])], id: UInt64 = 1) {
    rowsEvent(31, id: id, 2, rows.flatMap { [$0.before, $0.after] })
  }

  mutating func insert(_ rows: [(Int32, Int32)], id: UInt64 = 1) {
    insert(rows.map { [$0.0, $0.1] }, id: id)
  }

  mutating func delete(_ rows: [(Int32, Int32)], id: UInt64 = 1) {
    delete(rows.map { [$0.0, $0.1] }, id: id)
  }

  mutating func update(_ rows: [(before: (Int32, Int32), after: (Int32, Int32))], id: UInt64 = 1) {
    update(rows.map { ([$0.before.0, $0.before.1], [$0.after.0, $0.after.1]) }, id: id)
  }

  /// A change of a key that logs nothing but the key.
  mutating func minimalUpdate(_ before: Int32, _ after: Int32) {
    var body = little(1, 6) + little(1, 2) + little(2, 2) + [2, 0b01, 0b01]
    for number in [before, after] { body += [0] + little(UInt64(UInt32(bitPattern: number)), 4) }
    append(31, body)
  }

  private mutating func rowsEvent(
    _ type: UInt8, id: UInt64, _ bitmapCount: Int, _ images: [[Int32]]
  ) {
    let columnCount = images[0].count
    var body = little(id, 6) + little(1, 2) + little(2, 2) + [UInt8(columnCount)]
    for _ in 0..<bitmapCount { body.append(UInt8((1 << columnCount) - 1)) }
    for image in images {
      body.append(0)
      for value in image { body += little(UInt64(UInt32(bitPattern: value)), 4) }
    }
    append(type, body)
  }

  /// BEGIN, the rows of one insert, and the commit.
  mutating func transaction(inserting rows: [(Int32, Int32)], into table: String = "t") {
    query("BEGIN")
    tableMap(table)
    insert(rows)
    xid()
  }
}
