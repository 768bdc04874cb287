import Binlog

/// A transaction in binlog files.
struct BinlogTransaction {
  var gtid: SourceGTID?
  /// When its first event was logged, in seconds since 1970.
  var timestamp: UInt32
  var start: BinlogPosition
  var end: BinlogPosition
}

/// Finds the transactions in binlog files, without decoding their rows.
struct BinlogTransactions {
  /// The events that begin and end transactions, and what is needed to read them.
  private static let delimiters: Set<EventType> = [
    .formatDescription, .gtid, .anonymousGTID, .taggedGTID, .mariadbGTID, .query,
    .compressedQuery, .xid, .rotate, .stop,
  ]

  private var current: BinlogTransaction?
  /// Whether the file marks each transaction's beginning by an event of its own.
  private var hasMarks = false
  /// Whether a BEGIN waits for its end, in a file without marks.
  private var isOpen = false

  /// - Throws: `DecodeError` and ``Failure``; what `body` throws.
  static func visit(
    _ paths: [String], keys: BinlogKeys?, _ body: (BinlogTransaction) throws -> Void
  ) throws {
    for path in paths {
      let file = try BinlogFile(path: path, chunkByteCount: 4 << 20, keys: keys)
      var decoder = BinlogDecoder(file: file.name)
      var transactions = BinlogTransactions()
      var isAtEnd = false
      while !isAtEnd {
        isAtEnd = try !file.read { event, offset in
          guard event.byteCount > 4,
            let type = EventType(rawValue: event.unsafeLoad(fromByteOffset: 4, as: UInt8.self)),
            delimiters.contains(type)
          else { return }
          let place = BinlogPosition(file: file.name, offset: offset)
          try decoder.decode(event, at: offset) { event, _ in
            try transactions.add(event, at: place, body)
          }
        }
      }
      try transactions.end(at: BinlogPosition(file: file.name, offset: file.offset), body)
    }
  }

  private mutating func add(
    _ event: Event, at place: BinlogPosition, _ body: (BinlogTransaction) throws -> Void
  ) throws {
    func transaction(_ gtid: SourceGTID?) -> BinlogTransaction {
      BinlogTransaction(
        gtid: gtid, timestamp: event.header.timestamp, start: place, end: place)
    }
    switch event.body {
    case .gtid(let gtid):
      try end(at: place, body)
      hasMarks = true
      current = transaction(gtid.gtid.map(SourceGTID.mysql))
    case .mariadbGTID(let gtid):
      try end(at: place, body)
      hasMarks = true
      current = transaction(.mariadb(gtid.gtid))
    case .query(let query) where !hasMarks:
      if isOpen {
        if ["COMMIT", "ROLLBACK"].contains(query.statement) { isOpen = false }
      } else {
        try end(at: place, body)
        current = transaction(nil)
        isOpen = query.statement == "BEGIN"
      }
    case .xid: isOpen = false
    case .rotate, .stop: try end(at: place, body)
    default: break
    }
  }

  private mutating func end(
    at place: BinlogPosition, _ body: (BinlogTransaction) throws -> Void
  ) throws {
    guard var transaction = current else { return }
    transaction.end = place
    current = nil
    try body(transaction)
  }
}
