/// One decoded event.
public struct Event: Hashable, Sendable {
  public var header: EventHeader
  /// Offset of the event's first byte in its file; of the payload event's for an event inside a
  /// compressed transaction.
  public var offset: UInt64
  /// Offset of the byte that follows the event, or the payload event that contains it. Reading can
  /// go on from here. Meaningless in artificial events.
  public var end: UInt64
  public var body: EventBody

  public init(header: EventHeader, offset: UInt64, end: UInt64, body: EventBody) {
    self.header = header
    self.offset = offset
    self.end = end
    self.body = body
  }
}

/// What an event says.
public enum EventBody: Hashable, Sendable {
  case formatDescription(FormatDescription)
  /// The log goes on in another file (or, artificially, in this one).
  case rotate(BinlogPosition)
  case query(QueryEvent)
  /// The commit of a transaction, with the server's number for it.
  case xid(UInt64)
  case tableMap(TableMap)
  case rows(RowsEvent)
  /// The start of a transaction of a MySQL server.
  case gtid(GTIDEvent)
  /// The start of a transaction of a MariaDB server.
  case mariadbGTID(MariaDBGTIDEvent)
  /// The transactions in all files before this one.
  case previousGTIDs(GTIDSet)
  /// The position in all files before this one: the last transaction of each domain and server.
  case gtidList([MariaDBGTID])
  /// The server is alive and has sent everything up to here; nil when it does not name the file.
  case heartbeat(BinlogPosition?)
  /// The statement text behind the rows events that follow (ROWS_QUERY, ANNOTATE_ROWS). Invalid
  /// UTF-8 becomes U+FFFD.
  case rowsQuery(String)
  /// Changes may be missing from the log.
  case incident(IncidentEvent)
  /// The server shut down.
  case stop
  /// INTVAR, RAND, USER_VAR or a piece of a LOAD DATA file: parameters of a statement that follows
  /// in statement format. They mean nothing for row changes.
  case statementContext
  case xaPrepare(XAPrepareEvent)
  /// A compressed transaction; the events inside are visited next.
  case transactionPayload(TransactionPayload)
  /// An event without meaning for row changes, or an unknown one that may be skipped.
  case ignorable
}
