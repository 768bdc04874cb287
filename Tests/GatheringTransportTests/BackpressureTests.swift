import GRPCCore
import NIOCore
import Synchronization
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct BackpressureTests {
  /// Waits until a number has grown to at least a minimum, and no longer grows.
  private func settled(atLeast minimum: Int, _ number: () -> Int) async throws -> Int {
    var last = 0
    var quietCount = 0
    while last < minimum || quietCount < 4 {
      try await Task.sleep(for: .milliseconds(250))
      quietCount = number() == last ? quietCount + 1 : 0
      last = number()
    }
    return last
  }

  @Test func aSlowReaderHoldsTheHandlerBack() async throws {
    let written = Counter()
    let write: TestHandler = { _, _, writer in
      let message = MessageBytes(ByteBuffer(repeating: 1, count: 64 << 10))
      for _ in 0..<3200 {
        try await writer.write(message)
        written.add(message.count)
      }
      return [:]
    }
    try await withServer(["Write": write]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Write", readsByItself: false)
      try await call.sendEnd()
      // Headers let the stream begin; data then fills the client's window and what the server
      // buffers for one call.
      let buffered = try await settled(atLeast: 1 << 20) { written.value }
      #expect(buffered <= 4 << 20)
      let channel = call.channel
      let reading = Task {
        while !Task.isCancelled {
          channel.read()
          try await Task.sleep(for: .milliseconds(1))
        }
      }
      var count = 0
      while let message = try await call.next() { count += message.readableBytes }
      reading.cancel()
      #expect(count == 3200 * 64 << 10)
      #expect(call.trailers?.first(name: "grpc-status") == "0")
      await client.close()
    }
  }

  @Test func aSlowHandlerHoldsTheClientBack() async throws {
    let gate = AsyncStream.makeStream(of: Void.self)
    let read: TestHandler = { request, context, writer in
      for await _ in gate.stream { break }
      return try await TestService.count(request, context, writer)
    }
    var limits = GatheringServerTransport.Limits()
    limits.windowByteCount = 1 << 20
    try await withServer(["Read": read, "Echo": TestService.echo], limits: limits) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Read")
      let sent = Counter()
      let message = HTTP2PayloadMessage(byteCount: 64 << 10)
      let channel = call.channel
      let sending = Task {
        for _ in 0..<640 {
          try await channel.writeAndFlush(message.payload)
          sent.add(message.byteCount)
        }
        try await channel.writeAndFlush(message.end)
      }
      let accepted = try await settled(atLeast: 1 << 20) { sent.value }
      // The queue, the window that was left when it was full, and the client's own buffer.
      #expect(accepted <= 5 << 20)

      // Another call on the same connection is not held up by it.
      let other = try await client.call("Echo")
      try await other.send(ByteBuffer(repeating: 3, count: 300_000), isLast: true)
      #expect(try await other.next()?.readableBytes == 300_000)
      #expect(try await other.status() == "0")

      gate.continuation.yield()
      #expect(try await call.nextText() == "640 \(640 * message.byteCount)")
      #expect(try await call.status() == "0")
      try await sending.value
      await client.close()
    }
  }

  @Test func aMessageOverTheLimitIsRefusedAtItsPrefix() async throws {
    var limits = GatheringServerTransport.Limits()
    limits.messageByteCount = 1000
    try await withServer(["Count": TestService.count], limits: limits) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Count")
      try await call.send(ByteBuffer(repeating: 1, count: 1000))
      try await call.send(raw: ByteBuffer(bytes: [0, 0x7F, 0xFF, 0xFF, 0xFF]))
      let status = try await call.status()
      #expect(status.hasPrefix("8 ") && status.contains("up to 1000"))
      await client.close()
    }
  }
}

extension BackpressureTests {
  @Test func incompleteMessagesOfAllCallsAreBoundedTogether() async throws {
    var limits = GatheringServerTransport.Limits()
    limits.incompleteByteCount = 4 << 20
    try await withServer(["Count": TestService.count], limits: limits) { port, _ in
      let client = try await TestClient.connect(port: port)
      var incomplete = ByteBuffer()
      incomplete.writeMultipleIntegers(UInt8(0), UInt32(200 << 20))
      incomplete.writeRepeatingByte(0, count: 3 << 20)
      let first = try await client.call("Count")
      try await first.send(raw: incomplete)
      let second = try await client.call("Count")
      try await second.send(raw: incomplete)
      // One connection's bytes come in order, so the second is one too many.
      #expect(try await second.status().hasPrefix("8 all requests together"))
      let small = try await client.call("Count")
      try await small.send(ByteBuffer(repeating: 0, count: 900_000), isLast: true)
      #expect(try await small.nextText() == "1 900000")
      #expect(try await small.status() == "0")
      await client.close()
    }
  }

  @Test func memoryIsSharedAndGivenBack() {
    let memory = RequestMemory(maximumByteCount: 10 << 20)
    func share(_ byteCount: Int) -> Bool {
      var share = RequestMemory.Share(of: memory)
      return share.hold(byteCount)
    }
    var large = RequestMemory.Share(of: memory)
    let holds = large.hold(8 << 20)
    #expect(holds)
    #expect(share(2 << 20))
    #expect(share(2 << 20))
    #expect(!share(3 << 20))
    #expect(share(1 << 20))
    _ = large.hold(0)
    #expect(share(10 << 20))
  }
}

/// A number that grows.
final class Counter: Sendable {
  private let number = Mutex(0)

  var value: Int { number.withLock { $0 } }

  func add(_ more: Int) { number.withLock { $0 += more } }
}
