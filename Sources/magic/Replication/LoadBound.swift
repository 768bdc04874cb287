import ArgumentParser
import Binlog
import Foundation
import Replication

/// A place in binlog files as a person writes it.
enum LoadBound: ExpressibleByArgument, Hashable {
  /// `binlog.000042:1234`
  case position(BinlogPosition)
  /// `0-1-42` of MariaDB, `UUID:42` or `UUID:TAG:42` of MySQL.
  case gtid(SourceGTIDs)
  /// `2026-11-25 14:30:00`, in UTC, as seconds since 1970.
  case time(UInt32)

  init?(argument: String) {
    if let match = argument.wholeMatch(of: /(.+\.\d+):(\d+)/), let offset = UInt64(match.2) {
      self = .position(BinlogPosition(file: String(match.1), offset: offset))
    } else if argument.contains(/^\d+-\d+-\d+$/) || argument.contains(/^[0-9a-fA-F-]{36}:/) {
      guard let gtids = try? SourceGTIDs(argument) else { return nil }
      self = .gtid(gtids)
    } else {
      guard let time = Self.seconds(argument) else { return nil }
      self = .time(time)
    }
  }

  private static func seconds(_ text: String) -> UInt32? {
    guard
      let match = text.wholeMatch(
        of: /(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?Z?)?/),
      let year = Int(match.1), let month = Int(match.2), let day = Int(match.3)
    else { return nil }
    func part(_ text: Substring?) -> Int { text.flatMap { Int($0) } ?? 0 }
    var components = DateComponents(
      timeZone: TimeZone(secondsFromGMT: 0), year: year, month: month, day: day,
      hour: part(match.4), minute: part(match.5), second: part(match.6 ?? nil))
    components.calendar = Calendar(identifier: .gregorian)
    guard components.isValidDate, let date = components.date else { return nil }
    return UInt32(exactly: date.timeIntervalSince1970)
  }
}

/// Which part of binlog files is applied.
struct LoadRange {
  /// The first event; nil for that of the first file.
  var start: BinlogPosition?
  /// Events from here on are left out; nil for none.
  var end: BinlogPosition?

  /// Finds the transactions that are meant.
  ///
  /// - Parameters:
  ///   - from: the first one: at a position, after a GTID, or at a time and later.
  ///   - to: the last one: before a position, with a GTID, or not later than a time.
  /// - Throws: `Failure` when a GTID is not in the files, or the range is empty; `DecodeError`.
  init(from: LoadBound?, to: LoadBound?, in paths: [String], keys: BinlogKeys?) throws {
    if case .position(let position)? = from { start = position }
    if case .position(let position)? = to { end = position }
    let needsScan = [from, to].contains { bound in
      switch bound {
      case .gtid, .time: true
      case .position, nil: false
      }
    }
    guard needsScan else { return }
    var isFromFound = false
    var isToFound = false
    try BinlogTransactions.visit(paths, keys: keys) { transaction in
      switch from {
      case .gtid(let gtids):
        if let own = transaction.gtid, own.isAmong(gtids) {
          isFromFound = true
          start = transaction.end
        }
      case .time(let time):
        if !isFromFound, transaction.timestamp >= time {
          isFromFound = true
          start = transaction.start
        }
      case .position, nil: break
      }
      switch to {
      case .gtid(let gtids):
        if let own = transaction.gtid, own.isAmong(gtids) {
          isToFound = true
          end = transaction.end
        }
      case .time(let time):
        if !isToFound, transaction.timestamp > time {
          isToFound = true
          end = transaction.start
        }
      case .position, nil: break
      }
    }
    if case .gtid(let gtids)? = from, !isFromFound { throw Self.missing(gtids) }
    if case .gtid(let gtids)? = to, !isToFound { throw Self.missing(gtids) }
    if case .time? = from, !isFromFound {
      throw Failure("the files hold no transaction at the time of --from or later")
    }
  }

  private static func missing(_ gtids: SourceGTIDs) -> Failure {
    Failure("no transaction \(gtids) is in the files")
  }
}

extension SourceGTID {
  /// Whether it is one of these very transactions; one before a position of MariaDB is not.
  fileprivate func isAmong(_ gtids: SourceGTIDs) -> Bool {
    switch (self, gtids) {
    case (.mysql(let own), .mysql(let set)): set.contains(own)
    case (.mariadb(let own), .mariadb(let position)): position.gtids.contains(own)
    default: false
    }
  }
}
