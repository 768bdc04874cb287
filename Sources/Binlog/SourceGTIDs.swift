import WireFormat

/// The identifier of a transaction of either kind of server.
public enum SourceGTID: Hashable, Sendable, CustomStringConvertible {
  case mysql(GTID)
  case mariadb(MariaDBGTID)

  public var description: String {
    switch self {
    case .mysql(let gtid): gtid.description
    case .mariadb(let gtid): gtid.description
    }
  }
}

/// Transactions of a source: a set of MySQL, or a position of MariaDB, before which all are meant.
public enum SourceGTIDs: Hashable, Sendable, CustomStringConvertible {
  case mysql(GTIDSet)
  case mariadb(MariaDBGTIDPosition)

  /// Reads `uuid:1-5:7,…` of MySQL, or `domain-server-sequence,…` of MariaDB.
  ///
  /// - Throws: `malformed` when the text is neither.
  public init(_ text: String) throws(DecodeError) {
    // Only a UUID is followed by a colon.
    if text.contains(":") {
      self = .mysql(try GTIDSet(text))
    } else {
      self = .mariadb(try MariaDBGTIDPosition(text))
    }
  }

  /// Adds a transaction; what the other kind of server wrote before is forgotten.
  public mutating func insert(_ gtid: SourceGTID) {
    switch (self, gtid) {
    case (.mysql(var set), .mysql(let gtid)):
      // Not two copies of a set that may be long.
      self = .mariadb(MariaDBGTIDPosition())
      set.insert(gtid)
      self = .mysql(set)
    case (_, .mysql(let gtid)):
      var set = GTIDSet()
      set.insert(gtid)
      self = .mysql(set)
    case (.mariadb(var position), .mariadb(let gtid)):
      position.advance(to: gtid)
      self = .mariadb(position)
    case (_, .mariadb(let gtid)): self = .mariadb(MariaDBGTIDPosition(after: [gtid]))
    }
  }

  /// Whether all of others are among them.
  public func contains(_ others: SourceGTIDs) -> Bool {
    switch (self, others) {
    case (.mysql(let own), .mysql(let others)): own.contains(others)
    case (.mariadb(let own), .mariadb(let others)): others.gtids.allSatisfy(own.contains)
    default: false
    }
  }

  public var description: String {
    switch self {
    case .mysql(let set): set.description
    case .mariadb(let position): position.description
    }
  }
}
