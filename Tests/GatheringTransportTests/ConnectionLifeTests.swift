import NIOCore
import NIOHTTP2
import Testing

@testable import GatheringTransport

@Suite struct ConnectionLifeTests {
  private let limits: GatheringServerTransport.Limits = {
    var limits = GatheringServerTransport.Limits()
    limits.openingTimeout = .seconds(5)
    limits.idleTimeout = .seconds(100)
    limits.keepaliveInterval = .seconds(20)
    limits.keepaliveTimeout = .seconds(10)
    return limits
  }()

  private func time(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

  private func opened() -> ConnectionLife {
    var life = ConnectionLife(limits: limits, now: time(0))
    life.received(at: time(0))
    life.opened()
    return life
  }

  @Test func aConnectionMustOpenInTime() {
    var life = ConnectionLife(limits: limits, now: time(0))
    #expect(life.tick(at: time(4)) == nil)
    #expect(life.tick(at: time(5)) == .close(reason: "it did not begin to speak HTTP/2 in time"))
    #expect(life.tick(at: time(6)) == nil)
  }

  @Test func silenceIsAskedAbout() {
    var life = opened()
    life.streamOpened(1)
    #expect(life.tick(at: time(19)) == nil)
    #expect(life.tick(at: time(20)) == .ping)
    #expect(life.tick(at: time(29)) == nil)
    life.received(at: time(29))
    #expect(life.tick(at: time(31)) == nil)
    #expect(life.tick(at: time(49)) == .ping)
    // An answer may lie unread when a tick is late, so one more is waited for.
    #expect(life.tick(at: time(60)) == nil)
    #expect(life.tick(at: time(61)) == .close(reason: "the client does not answer"))
  }

  @Test func anIdleConnectionEnds() {
    var life = opened()
    life.streamOpened(1)
    life.received(at: time(150))
    #expect(life.tick(at: time(150)) == nil)
    #expect(life.streamClosed(at: time(160)) == nil)
    life.received(at: time(259))
    #expect(life.tick(at: time(259)) == nil)
    #expect(life.tick(at: time(260)) == .announceEnd)
    #expect(life.endAcknowledged() == .end(lastStream: 1))
    #expect(life.closeIfEnded() == .closeAfterWrites)
    #expect(life.closeIfEnded() == nil)
  }

  @Test func drainingWaitsForCalls() {
    var life = opened()
    life.streamOpened(1)
    life.streamOpened(3)
    #expect(life.endAcknowledged() == nil)
    #expect(life.drain(at: time(1)) == .announceEnd)
    #expect(life.drain(at: time(2)) == nil)
    // A call that the client began before it heard of the end.
    life.streamOpened(5)
    #expect(life.endAcknowledged() == .end(lastStream: 5))
    #expect(life.closeIfEnded() == nil)
    #expect(life.streamClosed(at: time(3)) == nil)
    #expect(life.streamClosed(at: time(3)) == nil)
    #expect(life.streamClosed(at: time(4)) == .closeAfterWrites)
  }

  @Test func aClientThatDoesNotAcknowledgeTheEndIsNotWaitedFor() {
    var life = opened()
    #expect(life.drain(at: time(0)) == .announceEnd)
    #expect(life.tick(at: time(9)) == nil)
    #expect(life.tick(at: time(10)) == .end(lastStream: .rootStream))
    #expect(life.closeIfEnded() == .closeAfterWrites)
  }
}
