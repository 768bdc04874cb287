import NIOCore
import NIOHTTP2

/// When a connection is asked whether it is alive, drained, and closed; a value without effects.
struct ConnectionLife {
  /// What is to be done to the connection.
  enum Action: Equatable {
    /// Ask the client whether it is there.
    case ping
    /// Tell the client to begin no more calls, and ask whether it has heard it.
    case announceEnd
    /// Tell the client which calls are the last ones.
    case end(lastStream: HTTP2StreamID)
    /// Close once everything written is sent.
    case closeAfterWrites
    /// Close at once.
    case close(reason: String)
  }

  private enum Phase: Equatable {
    case opening(since: NIODeadline)
    case open
    /// The end was announced, but the client has not said that it knows.
    case announced(since: NIODeadline)
    case ending
    case closed
  }

  let limits: GatheringServerTransport.Limits
  private var phase: Phase
  private var streamCount = 0
  private var lastStream = HTTP2StreamID.rootStream
  /// When the last stream closed, or the connection began.
  private var idleSince: NIODeadline
  private var lastRead: NIODeadline
  private var lastPing: NIODeadline?
  /// Whether the answer to the ping was overdue at the last tick. What the client has sent is only
  /// read between ticks, and after a pause of the whole server there is much to read.
  private var isOverdue = false

  init(limits: GatheringServerTransport.Limits, now: NIODeadline) {
    self.limits = limits
    phase = .opening(since: now)
    idleSince = now
    lastRead = now
  }

  /// Something was received.
  mutating func received(at now: NIODeadline) {
    lastRead = now
    lastPing = nil
    isOverdue = false
  }

  /// The client's first frame was received.
  mutating func opened() {
    if case .opening = phase { phase = .open }
  }

  mutating func streamOpened(_ id: HTTP2StreamID) {
    streamCount += 1
    lastStream = max(lastStream, id)
  }

  mutating func streamClosed(at now: NIODeadline) -> Action? {
    streamCount -= 1
    idleSince = now
    return closeIfEnded()
  }

  /// Begins a graceful end.
  mutating func drain(at now: NIODeadline) -> Action? {
    switch phase {
    case .opening, .open:
      phase = .announced(since: now)
      return .announceEnd
    case .announced, .ending, .closed: return nil
    }
  }

  /// The client has answered the announcement.
  mutating func endAcknowledged() -> Action? {
    guard case .announced = phase else { return nil }
    phase = .ending
    return .end(lastStream: lastStream)
  }

  /// Closes when no call is left of an ending connection.
  mutating func closeIfEnded() -> Action? {
    guard phase == .ending, streamCount == 0 else { return nil }
    phase = .closed
    return .closeAfterWrites
  }

  /// What time has come for.
  mutating func tick(at now: NIODeadline) -> Action? {
    switch phase {
    case .opening(let since):
      return now - since >= TimeAmount(limits.openingTimeout)
        ? close("it did not begin to speak HTTP/2 in time") : nil
    case .open:
      if streamCount == 0, now - idleSince >= TimeAmount(limits.idleTimeout) {
        return drain(at: now)
      }
    case .announced(let since):
      if now - since >= TimeAmount(limits.keepaliveTimeout) { return endAcknowledged() }
    case .ending: break
    case .closed: return nil
    }
    return keepAlive(at: now)
  }

  private mutating func keepAlive(at now: NIODeadline) -> Action? {
    if let lastPing {
      guard now - lastPing >= TimeAmount(limits.keepaliveTimeout) else { return nil }
      guard isOverdue else {
        isOverdue = true
        return nil
      }
      return close("the client does not answer")
    }
    guard now - lastRead >= TimeAmount(limits.keepaliveInterval) else { return nil }
    lastPing = now
    return .ping
  }

  private mutating func close(_ reason: String) -> Action {
    phase = .closed
    return .close(reason: reason)
  }
}
