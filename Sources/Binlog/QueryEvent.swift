import WireFormat

/// A QUERY event: a statement, most often DDL or the BEGIN of a transaction.
public struct QueryEvent: Hashable, Sendable {
  /// The connection that ran the statement.
  public var threadID: UInt32
  public var executionSeconds: UInt32
  /// The error with which the statement ended at its origin, 0 for none.
  public var errorCode: UInt16
  /// The database in which the statement ran; empty when there was none.
  public var database: String
  public var status: QueryStatus
  /// The statement as it was sent, in the charset of ``QueryStatus/clientCollation``.
  public var statementBytes: [UInt8]
  /// The statement as text; see ``QueryStatus/decode(_:)``.
  public var statement: String

  public init(
    threadID: UInt32 = 0, executionSeconds: UInt32 = 0, errorCode: UInt16 = 0, database: String,
    status: QueryStatus = QueryStatus(), statementBytes: [UInt8]
  ) {
    self.threadID = threadID
    self.executionSeconds = executionSeconds
    self.errorCode = errorCode
    self.database = database
    self.status = status
    self.statementBytes = statementBytes
    self.statement = status.decode(statementBytes)
  }

  /// The bytes of the fixed part of the body: thread, time, database length, error, status length.
  private static let knownPostHeader = 13

  init(from reader: inout ByteReader, postHeaderLength: Int) throws(DecodeError) {
    try self.init(from: &reader, postHeaderLength: postHeaderLength, known: Self.knownPostHeader) {
      (_) throws(DecodeError) in
    }
  }

  /// Decodes an EXECUTE_LOAD_QUERY event, a LOAD DATA statement.
  init(loadDataFrom reader: inout ByteReader) throws(DecodeError) {
    // After the fixed part of a query: file id, start and end of the file name in the statement,
    // and what to do with duplicates.
    let fileReference = 13
    try self.init(
      from: &reader, postHeaderLength: Self.knownPostHeader + fileReference,
      known: Self.knownPostHeader + fileReference
    ) { (reader) throws(DecodeError) in try reader.skip(fileReference) }
  }

  private init(
    from reader: inout ByteReader, postHeaderLength: Int, known: Int,
    skipRest: (inout ByteReader) throws(DecodeError) -> Void
  ) throws(DecodeError) {
    let threadID: UInt32 = try reader.read()
    let executionSeconds: UInt32 = try reader.read()
    let databaseLength = Int(try reader.read(UInt8.self))
    let errorCode: UInt16 = try reader.read()
    let statusLength = Int(try reader.read(UInt16.self))
    try skipRest(&reader)
    try reader.skipPostHeader(length: postHeaderLength, known: known, "query event")
    let status = try QueryStatus(from: &reader, byteCount: statusLength)
    let database = try reader.readString(databaseLength)
    guard try reader.read(UInt8.self) == 0 else {
      throw DecodeError(.malformed, "end of the database name", at: reader.offset - 1)
    }
    self.init(
      threadID: threadID, executionSeconds: executionSeconds, errorCode: errorCode,
      database: database, status: status, statementBytes: try reader.readArray(reader.remaining))
  }

  /// Moves to the first byte of the statement.
  static func skipToStatement(_ reader: inout ByteReader, postHeaderLength: Int)
    throws(DecodeError)
  {
    try reader.skip(8)
    let databaseLength = Int(try reader.read(UInt8.self))
    try reader.skip(2)
    let statusLength = Int(try reader.read(UInt16.self))
    try reader.skipPostHeader(length: postHeaderLength, known: knownPostHeader, "query event")
    try reader.skip(statusLength + databaseLength + 1)
  }
}
