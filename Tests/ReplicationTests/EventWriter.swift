import Binlog

/// Writes binlog events as a MySQL 5.7 server does, without checksums, for tests.
struct EventWriter {
  /// The end of the last event.
  private(set) var offset: UInt32 = 4
  private(set) var events: [[UInt8]] = []
  var timestamp: UInt32 = 1_700_000_000

  init() {
    var body = little(4, 2) + Array("5.7.30-log".utf8)
    body += [UInt8](repeating: 0, count: 52 - body.count) + little(0, 4) + [19]
    // Lengths of the fixed parts of the events that are used here; the others are not looked at.
    var lengths = [UInt8](repeating: 0, count: 38)
    for (type, length) in [
      (2, 13), (4, 8), (15, 95), (19, 8), (30, 10), (31, 10), (32, 10), (33, 42),
    ] {
      lengths[type - 1] = UInt8(length)
    }
    append(15, body + lengths)
  }

  private func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private mutating func append(_ type: UInt8, _ body: [UInt8]) {
    let length = UInt32(19 + body.count)
    offset += length
    var event = little(UInt64(timestamp), 4) + [type] + little(1, 4)
    event += little(UInt64(length), 4) + little(UInt64(offset), 4) + little(0, 2)
    events.append(event + body)
  }

  mutating func query(_ statement: String, database: String = "shop") {
    var body = little(1, 4) + little(0, 4) + [UInt8(database.utf8.count)] + little(0, 4)
    body += Array(database.utf8) + [0] + Array(statement.utf8)
    append(2, body)
  }

  mutating func xid() { append(16, little(7, 8)) }

  /// A table `name (id INT PRIMARY KEY, value INT)`.
  mutating func tableMap(_ name: String, id: UInt64 = 1, database: String = "shop") {
    var body = little(id, 6) + little(1, 2)
    for text in [database, name] { body += [UInt8(text.utf8.count)] + Array(text.utf8) + [0] }
    append(19, body + [2, 3, 3, 0, 0b10])
  }

  mutating func insert(_ rows: [(Int32, Int32)], id: UInt64 = 1) {
    rowsEvent(30, id: id, bitmaps: [0b11], rows.map { [$0] })
  }

  mutating func delete(_ rows: [(Int32, Int32)], id: UInt64 = 1) {
    rowsEvent(32, id: id, bitmaps: [0b11], rows.map { [$0] })
  }

  mutating func update(_ rows: [(before: (Int32, Int32), after: (Int32, Int32))], id: UInt64 = 1) {
    rowsEvent(31, id: id, bitmaps: [0b11, 0b11], rows.map { [$0.before, $0.after] })
  }

  private mutating func rowsEvent(
    _ type: UInt8, id: UInt64, bitmaps: [UInt8], _ images: [[(Int32, Int32)]]
  ) {
    var body = little(id, 6) + little(1, 2) + little(2, 2) + [2] + bitmaps
    for image in images.joined() {
      body.append(0)
      body += little(UInt64(UInt32(bitPattern: image.0)), 4)
      body += little(UInt64(UInt32(bitPattern: image.1)), 4)
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
