import Glibc
import MagicCore
import Synchronization

/// Keeps some of the disk free: writes stop in good order before the engine runs out of room.
public final class DiskReserve: Sendable {
  private struct State {
    var checked: ContinuousClock.Instant?
    var freeByteCount: UInt64 = .max
  }

  /// How many bytes are to stay free.
  public let byteCount: UInt64
  private let path: String
  private let state = Mutex(State())

  /// Keeps `byteCount` bytes free on the file system of `path`.
  public init(path: String, byteCount: UInt64) {
    self.path = path
    self.byteCount = byteCount
  }

  /// How many bytes are free now, as of at most a tenth of a second ago.
  public var freeByteCount: UInt64 {
    state.withLock { state in
      let now = ContinuousClock.now
      if let checked = state.checked, now - checked < .milliseconds(100) {
        return state.freeByteCount
      }
      var status = statvfs()
      // What cannot be told does not stop anybody; the engine will say.
      state.freeByteCount =
        statvfs(path, &status) == 0 ? UInt64(status.f_bavail) * UInt64(status.f_frsize) : .max
      state.checked = now
      return state.freeByteCount
    }
  }

  /// Refuses a write when too little is free.
  ///
  /// - Throws: ``APIError`` of kind `exhausted`.
  public func check() throws(APIError) {
    let free = freeByteCount
    if free < byteCount {
      throw APIError(
        .exhausted,
        "only \(free >> 20) MiB are free on the disk of the data folder, and \(byteCount >> 20) MiB "
          + "are kept in reserve: nothing is written until there is more room, which DROP and "
          + "TRUNCATE make", engineCode: 243)
    }
  }
}

extension StatementInspection {
  /// Whether it needs room on the disk, and does not make room.
  var takesRoom: Bool {
    (kind == .write || kind == .declare) && verb != "DROP" && verb != "TRUNCATE"
  }
}
