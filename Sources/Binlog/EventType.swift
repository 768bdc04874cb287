/// The kinds of binlog event of MySQL (to 99) and of MariaDB (from 160).
///
/// MySQL: `mysql::binlog::event::Log_event_type`; MariaDB: `enum Log_event_type`.
public enum EventType: UInt8, Hashable, Sendable, CaseIterable {
  case startV3 = 1
  case query = 2
  case stop = 3
  case rotate = 4
  case intVar = 5
  case load = 6
  case slave = 7
  case createFile = 8
  case appendBlock = 9
  case executeLoad = 10
  case deleteFile = 11
  case newLoad = 12
  case rand = 13
  case userVar = 14
  case formatDescription = 15
  case xid = 16
  case beginLoadQuery = 17
  case executeLoadQuery = 18
  case tableMap = 19
  case preGAWriteRows = 20
  case preGAUpdateRows = 21
  case preGADeleteRows = 22
  case writeRowsV1 = 23
  case updateRowsV1 = 24
  case deleteRowsV1 = 25
  case incident = 26
  case heartbeat = 27
  case ignorable = 28
  case rowsQuery = 29
  case writeRows = 30
  case updateRows = 31
  case deleteRows = 32
  case gtid = 33
  case anonymousGTID = 34
  case previousGTIDs = 35
  case transactionContext = 36
  case viewChange = 37
  case xaPrepare = 38
  case partialUpdateRows = 39
  case transactionPayload = 40
  case heartbeatV2 = 41
  case taggedGTID = 42

  case annotateRows = 160
  case binlogCheckpoint = 161
  case mariadbGTID = 162
  case gtidList = 163
  case startEncryption = 164
  case compressedQuery = 165
  case compressedWriteRowsV1 = 166
  case compressedUpdateRowsV1 = 167
  case compressedDeleteRowsV1 = 168
  case compressedWriteRows = 169
  case compressedUpdateRows = 170
  case compressedDeleteRows = 171
}

extension EventType {
  /// The type of the plain event that a compressed event of MariaDB stands for.
  var uncompressedType: EventType? {
    switch self {
    case .compressedQuery: .query
    case .compressedWriteRowsV1: .writeRowsV1
    case .compressedUpdateRowsV1: .updateRowsV1
    case .compressedDeleteRowsV1: .deleteRowsV1
    case .compressedWriteRows: .writeRows
    case .compressedUpdateRows: .updateRows
    case .compressedDeleteRows: .deleteRows
    default: nil
    }
  }
}
