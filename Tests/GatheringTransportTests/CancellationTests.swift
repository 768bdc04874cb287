import GRPCCore
import NIOCore
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
  /// Runs until it is cancelled, then says how that felt.
  private static func endless(_ ends: AsyncStream<String>.Continuation) -> TestHandler {
    { _, context, _ in
      ends.yield("begun")
      do {
        try await Task.sleep(for: .seconds(50))
      } catch {
        ends.yield("\(type(of: error)), \(context.cancellation.isCancelled)")
        throw error
      }
      return [:]
    }
  }

  @Test func resettingTheStreamCancelsTheHandler() async throws {
    let (ends, continuation) = AsyncStream.makeStream(of: String.self)
    try await withServer(["Endless": Self.endless(continuation)]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Endless")
      var iterator = ends.makeAsyncIterator()
      #expect(await iterator.next() == "begun")
      try await call.cancel()
      #expect(await iterator.next() == "CancellationError, true")
      await client.close()
    }
  }

  @Test func closingTheConnectionCancelsTheHandler() async throws {
    let (ends, continuation) = AsyncStream.makeStream(of: String.self)
    try await withServer(["Endless": Self.endless(continuation)]) { port, _ in
      let client = try await TestClient.connect(port: port)
      _ = try await client.call("Endless")
      var iterator = ends.makeAsyncIterator()
      #expect(await iterator.next() == "begun")
      await client.close()
      #expect(await iterator.next() == "CancellationError, true")
    }
  }

  @Test func aClientThatGoesWakesReaderAndWriter() async throws {
    let (ends, continuation) = AsyncStream.makeStream(of: String.self)
    let read: TestHandler = { request, _, _ in
      continuation.yield("begun")
      do {
        for try await _ in request.messages {}
      } catch {
        continuation.yield("read \((error as? RPCError)?.code.description ?? "\(error)")")
      }
      return [:]
    }
    let write: TestHandler = { _, _, writer in
      continuation.yield("begun")
      do {
        let message = MessageBytes(ByteBuffer(repeating: 1, count: 1 << 20))
        while true { try await writer.write(message) }
      } catch {
        continuation.yield("write \((error as? RPCError)?.code.description ?? "\(error)")")
        throw error
      }
    }
    try await withServer(["Read": read, "Write": write]) { port, _ in
      let client = try await TestClient.connect(port: port)
      _ = try await client.call("Read")
      _ = try await client.call("Write", readsByItself: false)
      for await _ in ends.prefix(2) {}
      await client.close()
      var seen: Set<String> = []
      for await end in ends.prefix(2) { seen.insert(end) }
      // Either the stream's end or the task's cancellation comes first.
      #expect(seen.contains { $0.hasPrefix("read ") } && seen.contains { $0.hasPrefix("write ") })
      #expect(
        seen.allSatisfy { $0.hasSuffix("cancelled") || $0.hasSuffix("CancellationError()") },
        "\(seen)")
    }
  }

  @Test func deadlinePasses() async throws {
    let (ends, continuation) = AsyncStream.makeStream(of: String.self)
    let stubborn: TestHandler = { _, context, _ in
      // Does not stop when it is told to.
      let started = ContinuousClock.now
      while !context.cancellation.isCancelled, ContinuousClock.now - started < .seconds(20) {
        await Task.yield()
      }
      try? await Task.sleep(for: .milliseconds(100))
      continuation.yield("\(context.cancellation.isCancelled)")
      return [:]
    }
    let deadline: TestHandler = { _, context, writer in
      let deadline = (context.transportSpecific as? ConnectionInfo)?.deadline
      let left = deadline.map { $0 - .now } ?? .zero
      #expect(left > .seconds(30) && left <= .seconds(60))
      try await writer.write(MessageBytes(ByteBuffer()))
      return [:]
    }
    try await withServer([
      "Endless": Self.endless(continuation), "Stubborn": stubborn, "Deadline": deadline,
    ]) { port, _ in
      let client = try await TestClient.connect(port: port)
      var iterator = ends.makeAsyncIterator()
      let started = ContinuousClock.now
      let call = try await client.call("Endless", ["grpc-timeout": "50m"])
      #expect(try await call.status() == "4 the call took longer than it may")
      #expect(ContinuousClock.now - started < .seconds(5))
      #expect(await iterator.next() == "begun")
      #expect(await iterator.next() == "CancellationError, true")

      let other = try await client.call("Stubborn", ["grpc-timeout": "300000u"])
      #expect(try await other.status() == "4 the call took longer than it may")
      #expect(await iterator.next() == "true")

      let last = try await client.call("Deadline", ["grpc-timeout": "1M"])
      #expect(try await last.status() == "0")
      await client.close()
    }
  }
}
