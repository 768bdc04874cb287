import Binlog
import Foundation
import Synchronization

/// How the binlog is asked for.
public struct BinlogStreamOptions: Hashable, Sendable {
  /// The server id that this replica shows; no other replica of the source may have it.
  public var serverID: UInt32
  /// How long the source stays silent before it sends a heartbeat event, in milliseconds.
  public var heartbeatMilliseconds: Int
  /// How long silence lasts until the connection counts as lost, in seconds.
  public var silenceLimitSeconds: Int
  /// The bytes that are read ahead of the consumer.
  public var maximumQueuedBytes: Int
  /// The UUID that this replica shows to MySQL; no other replica of the source may have it.
  public var uuid: String
  /// Whether a MariaDB server that lacks the very transaction to start from, but has later ones of the same
  /// origin, counts as `diverged`. Otherwise it starts with the next that it has.
  public var isGTIDStrict: Bool

  public init(
    serverID: UInt32 = .random(in: 0xE000_0000...0xEFFF_FFFF), heartbeatMilliseconds: Int = 1000,
    silenceLimitSeconds: Int = 30, maximumQueuedBytes: Int = 32 << 20,
    uuid: String = UUID().uuidString.lowercased(), isGTIDStrict: Bool = true
  ) {
    self.serverID = serverID
    self.heartbeatMilliseconds = heartbeatMilliseconds
    self.silenceLimitSeconds = silenceLimitSeconds
    self.maximumQueuedBytes = maximumQueuedBytes
    self.uuid = uuid
    self.isGTIDStrict = isGTIDStrict
  }
}

/// The events of the source's binlog from a place on, as the source writes them.
///
/// A connection and a thread of its own read ahead of the consumer, up to a bound. Heartbeat events come along,
/// so a consumer hears from the stream at least once in each period.
public final class BinlogStream: Sendable {
  private let queue: EventQueue
  private let interrupter: Interrupter

  private init(queue: EventQueue, interrupter: Interrupter) {
    self.queue = queue
    self.interrupter = interrupter
  }

  deinit { stop() }

  /// Connects and asks for the events after `position`, as `open(_:from:options:)` with
  /// ``BinlogStart/position(_:)``.
  public static func open(
    _ url: SourceURL, from position: BinlogPosition,
    options: BinlogStreamOptions = BinlogStreamOptions()
  ) async throws(SourceError) -> BinlogStream {
    try await open(url, from: .position(position), options: options)
  }

  /// Connects and asks for the events from `start`.
  ///
  /// The first event is a ROTATE event that is in no file. It names the file that the next events come from, so
  /// that their places are known from it and from where their headers say that they end. The source looks for
  /// the start only afterwards: that it is gone is told by ``next()``.
  ///
  /// - Throws: ``SourceError``; with code `configuration` when `start` is of another kind of server.
  public static func open(
    _ url: SourceURL, from start: BinlogStart,
    options: BinlogStreamOptions = BinlogStreamOptions()
  ) async throws(SourceError) -> BinlogStream {
    let queue = EventQueue(maximumByteCount: options.maximumQueuedBytes)
    let result: Result<BinlogStream, SourceError> = await withCheckedContinuation { continuation in
      let thread = Thread {
        let reader: BinlogReader
        do throws(SourceError) {
          reader = try BinlogReader(url: url, start: start, options: options)
        } catch {
          continuation.resume(returning: .failure(error))
          return
        }
        continuation.resume(
          returning: .success(BinlogStream(queue: queue, interrupter: reader.interrupter)))
        reader.run(into: queue)
      }
      thread.name = "binlog"
      thread.start()
    }
    return try result.get()
  }

  /// All events that have arrived, at least one: waits for it. Each begins with the event header of 19 bytes
  /// and ends with its checksum if the source writes checksums.
  ///
  /// - Throws: ``SourceError``, after the events that came before, with code `lostConnection` (open a new stream),
  ///   `purged` (the source no longer has what follows the start), `behind` (it lacks transactions up to the
  ///   start, and may still get them), `diverged` (it has others in their place), `permission`, `configuration`
  ///   (another replica has this one's server id or UUID), `settings` (GTIDs are switched off), `closed` or
  ///   another; `CancellationError`.
  public func next() async throws -> [[UInt8]] {
    try await queue.next()
  }

  /// The bytes that were read ahead.
  public var queuedByteCount: Int { queue.byteCount }

  /// Ends the stream; ``next()`` then throws `closed`. Idempotent.
  public func close() { stop() }

  private func stop() {
    queue.end(SourceError(.closed, "the binlog stream was closed"))
    interrupter.interrupt()
  }
}
