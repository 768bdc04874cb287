import WireFormat

/// Decodes the events of one binlog, in their order.
///
/// A value holds what later events depend on: the format description and the table maps. A stream
/// may go on over several files; each file's format description replaces the previous one.
public struct BinlogDecoder: Sendable {
  /// The file that errors name. A rotate event changes it.
  public private(set) var file: String?
  /// The last format description, which says how the events after it are laid out.
  public private(set) var formatDescription: FormatDescription?
  private var tableMaps = TableMapCache()

  /// - Parameter file: the name of the file that is read, for errors.
  public init(file: String? = nil) {
    self.file = file
  }

  /// Decodes one event and visits it, and then the events inside it when it is a compressed
  /// transaction.
  ///
  /// - Parameters:
  ///   - event: exactly the bytes of one event: header, body and checksum.
  ///   - offset: where the event begins in its file.
  ///   - visit: called once for each event with the bytes that its ranges refer to.
  /// - Throws: `DecodeError`, located in the file, when the bytes are not a valid event, or one
  ///   that cannot be decoded faithfully; what `visit` throws. Do not decode further events after
  ///   an error.
  public mutating func decode(
    _ event: RawSpan, at offset: UInt64, visit: (Event, RawSpan) throws -> Void
  ) throws {
    let fileName = file
    var decoded: DecodedEvent
    do throws(DecodeError) {
      decoded = try decodeEvent(event, checksum: nil)
    } catch {
      throw error.located(inFile: fileName, at: Int(clamping: offset))
    }
    let end = offset &+ UInt64(event.byteCount)
    try decoded.visit(bytes: event, offset: offset, end: end, visit)
    if decoded.event.header.type == .transactionPayload,
      case .transactionPayload(let payload) = decoded.event.body
    {
      try decodeInnerEvents(payload, in: event, at: offset, end: end, visit)
    }
  }

  /// Visits the events of a compressed transaction as they are decompressed.
  private mutating func decodeInnerEvents(
    _ payload: TransactionPayload, in bytes: RawSpan, at offset: UInt64, end: UInt64,
    _ visit: (Event, RawSpan) throws -> Void
  ) throws {
    var unpacker = PayloadUnpacker(payload)
    while true {
      var decoded: DecodedEvent
      do throws(DecodeError) {
        guard try unpacker.advance(in: bytes) else { return }
        decoded = try decodeEvent(unpacker.event, checksum: ChecksumAlgorithm.none)
        if case .transactionPayload = decoded.event.body {
          throw DecodeError(.malformed, "transaction payload inside a transaction payload", at: 0)
        }
      } catch {
        // Offsets inside the decompressed bytes lead nowhere in the file; the payload event's does.
        throw DecodeError(
          error.code, "\(error.message), inside a compressed transaction",
          at: Int(clamping: offset), file: file)
      }
      try decoded.visit(bytes: unpacker.event, offset: offset, end: end, visit)
    }
  }

  /// Decodes one event.
  ///
  /// - Parameter checksum: the checksum that the event ends with; nil when the format description
  ///   says.
  private mutating func decodeEvent(_ bytes: RawSpan, checksum: ChecksumAlgorithm?)
    throws(DecodeError) -> DecodedEvent
  {
    var reader = ByteReader(bytes)
    let header = try EventHeader(from: &reader)
    guard header.eventLength == UInt32(exactly: bytes.byteCount) else {
      throw DecodeError(.malformed, "event length", at: 9)
    }
    if header.type == .formatDescription {
      let format = try FormatDescription(decoding: bytes, flags: header.flags)
      formatDescription = format
      tableMaps.removeAll()
      return DecodedEvent(
        header: header, body: .formatDescription(format), contentLength: bytes.byteCount)
    }
    let algorithm =
      if let checksum { checksum } else { try checksumAlgorithm(of: header, bytes) }
    let content = try algorithm.verify(bytes)
    if let plain = header.type?.uncompressedType {
      let storage = try decompressEvent(content, header, as: plain)
      let body = try decodeBody(storage.span.bytes, header, type: plain)
      return DecodedEvent(
        header: header, body: body, contentLength: storage.count, storage: storage)
    }
    guard let type = header.type else {
      guard header.flags.contains(.ignorable) else {
        throw DecodeError(.unsupported, "event of unknown type \(header.typeCode)", at: 4)
      }
      return DecodedEvent(header: header, body: .ignorable, contentLength: content.byteCount)
    }
    let body = try decodeBody(content, header, type: type)
    return DecodedEvent(header: header, body: body, contentLength: content.byteCount)
  }

  /// The checksum of an event other than a format description.
  private func checksumAlgorithm(of header: EventHeader, _ bytes: RawSpan)
    throws(DecodeError) -> ChecksumAlgorithm
  {
    let isRotate = header.type == .rotate
    guard let formatDescription else {
      guard isRotate else {
        throw DecodeError(.malformed, "event before the format description", at: 4)
      }
      return ChecksumAlgorithm.detect(in: bytes)
    }
    // A server makes the rotate event that introduces a file by the rules of that file, which are
    // not known here yet.
    if isRotate && header.flags.contains(.artificial) { return ChecksumAlgorithm.detect(in: bytes) }
    return formatDescription.checksum
  }

  /// Decodes the body of an event whose checksum was removed.
  private mutating func decodeBody(_ content: RawSpan, _ header: EventHeader, type: EventType)
    throws(DecodeError) -> EventBody
  {
    var reader = ByteReader(content)
    try reader.skip(formatDescription?.headerLength ?? EventHeader.byteCount)
    let body: EventBody
    switch type {
    case .rotate:
      let position = try BinlogPosition(from: &reader)
      file = position.file
      body = .rotate(position)
    case .query:
      body = .query(try QueryEvent(from: &reader, postHeaderLength: postHeaderLength(of: type)))
    case .executeLoadQuery:
      body = .query(try QueryEvent(loadDataFrom: &reader))
    case .xid:
      body = .xid(try reader.read())
    case .tableMap:
      body = .tableMap(
        try tableMaps.decode(
          from: &reader, postHeaderLength: postHeaderLength(of: type),
          isMariaDB: formatDescription?.isMariaDB ?? false))
    case .writeRowsV1, .updateRowsV1, .deleteRowsV1, .writeRows, .updateRows, .deleteRows,
      .partialUpdateRows:
      let head = try RowsEventHead(
        type: type, from: &reader, postHeaderLength: postHeaderLength(of: type))
      body = try head.resolve(tableMaps, from: &reader)
    case .gtid: body = .gtid(try GTIDEvent(from: &reader, isAnonymous: false))
    case .anonymousGTID: body = .gtid(try GTIDEvent(from: &reader, isAnonymous: true))
    case .taggedGTID: body = .gtid(try GTIDEvent(taggedFrom: &reader))
    case .mariadbGTID:
      body = .mariadbGTID(try MariaDBGTIDEvent(from: &reader, serverID: header.serverID))
    case .previousGTIDs: body = .previousGTIDs(try GTIDSet(from: &reader))
    case .gtidList: body = .gtidList(try MariaDBGTID.decodeList(from: &reader))
    case .heartbeat: body = .heartbeat(try BinlogPosition.heartbeat(header, from: &reader))
    case .heartbeatV2: body = .heartbeat(try BinlogPosition.heartbeatV2(from: &reader))
    case .rowsQuery:
      // One byte of length that overflows for long statements: the text ends where the event does.
      try reader.skip(1)
      body = .rowsQuery(try reader.readString(reader.remaining))
    case .annotateRows: body = .rowsQuery(try reader.readString(reader.remaining))
    case .incident: body = .incident(try IncidentEvent(from: &reader))
    case .xaPrepare: body = .xaPrepare(try XAPrepareEvent(from: &reader))
    case .transactionPayload:
      body = .transactionPayload(try TransactionPayload(from: &reader))
    case .stop:
      body = .stop
    case .intVar, .rand, .userVar, .appendBlock, .deleteFile, .beginLoadQuery:
      try reader.skip(reader.remaining)
      body = .statementContext
    case .ignorable, .transactionContext, .viewChange, .binlogCheckpoint:
      try reader.skip(reader.remaining)
      body = .ignorable
    case .startEncryption:
      throw DecodeError(
        .unsupported, "encrypted binlog, which cannot be read without its key", at: 4)
    case .startV3, .load, .slave, .createFile, .executeLoad, .newLoad, .preGAWriteRows,
      .preGAUpdateRows, .preGADeleteRows:
      throw DecodeError(
        .unsupported, "event \(type) (type \(type.rawValue)) of a server before 5.1", at: 4)
    case .formatDescription, .compressedQuery, .compressedWriteRowsV1, .compressedUpdateRowsV1,
      .compressedDeleteRowsV1, .compressedWriteRows, .compressedUpdateRows,
      .compressedDeleteRows:
      throw DecodeError(.malformed, "event type", at: 4)
    }
    try reader.expectEnd("event of type \(type.rawValue)")
    return body
  }

  /// The size of the fixed part of a body, as the format description has it.
  private func postHeaderLength(of type: EventType) -> Int {
    formatDescription?.postHeaderLength(of: type) ?? 0
  }

  /// A compressed event of MariaDB as the plain event that it stands for.
  private func decompressEvent(_ content: RawSpan, _ header: EventHeader, as type: EventType)
    throws(DecodeError) -> [UInt8]
  {
    var reader = ByteReader(content)
    try reader.skip(formatDescription?.headerLength ?? EventHeader.byteCount)
    if type == .query {
      try QueryEvent.skipToStatement(&reader, postHeaderLength: postHeaderLength(of: type))
    } else {
      _ = try RowsEventHead(type: type, from: &reader, postHeaderLength: postHeaderLength(of: type))
    }
    return try decompressTail(of: content, from: reader.offset)
  }
}

/// An event together with the bytes that it was decoded from.
private struct DecodedEvent {
  /// Where it lies is filled in at the visit; the body is moved here once and not copied again.
  private(set) var event: Event
  /// The number of bytes without the checksum.
  private let contentLength: Int
  /// The bytes of the plain event when the event was a compressed one.
  private let storage: [UInt8]?

  init(header: EventHeader, body: consuming EventBody, contentLength: Int, storage: [UInt8]? = nil)
  {
    event = Event(header: header, offset: 0, end: 0, body: body)
    self.contentLength = contentLength
    self.storage = storage
  }

  mutating func visit(
    bytes: RawSpan, offset: UInt64, end: UInt64, _ visit: (Event, RawSpan) throws -> Void
  ) throws {
    event.offset = offset
    event.end = end
    if let storage {
      try visit(event, storage.span.bytes)
    } else {
      try visit(event, bytes.extracting(first: contentLength))
    }
  }
}
