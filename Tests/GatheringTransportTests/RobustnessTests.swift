import GRPCCore
import NIOCore
import NIOHPACK
import NIOHTTP2
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct RobustnessTests {
  @Test func whatIsNotHTTP2IsClosed() async throws {
    try await withServer(["Echo": TestService.echo]) { port, _ in
      for text in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\u{16}\u{3}\u{1}TLS, perhaps, in plain text",
        String(repeating: "x", count: 100_000), "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
      ] {
        let connection = try await RawConnection.connect(port: port)
        try? await connection.write(ByteBuffer(string: text))
        #expect(try await connection.readToEnd() != nil, "\(text.prefix(20))")
      }
      try await expectService(port)
    }
  }

  @Test func malformedFramesCloseTheConnection() async throws {
    let frames: [(String, ByteBuffer)] = [
      ("too long", RawConnection.frame(type: 0, stream: 1, length: 0xFF_FFFF)),
      ("data on stream 0", RawConnection.frame(type: 0, [1, 2, 3])),
      ("data on an idle stream", RawConnection.frame(type: 0, stream: 9, [1])),
      ("headers on stream 0", RawConnection.frame(type: 1, flags: 5, [0x82])),
      (
        "not HPACK",
        RawConnection.frame(type: 1, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
      ),
      ("short ping", RawConnection.frame(type: 6, [1])),
      ("short settings", RawConnection.frame(type: 4, [1])),
      ("bad setting", RawConnection.frame(type: 4, [0, 5, 0, 0, 0, 1])),
      ("zero window update", RawConnection.frame(type: 8, [0, 0, 0, 0])),
      ("continuation alone", RawConnection.frame(type: 9, flags: 4, stream: 1, [0x82])),
      ("push promise", RawConnection.frame(type: 5, flags: 4, stream: 1, [0, 0, 0, 2])),
      ("even stream", RawConnection.frame(type: 1, flags: 5, stream: 2, [0x83, 0x86, 0x84])),
      ("reset of an idle stream", RawConnection.frame(type: 3, stream: 7, [0, 0, 0, 8])),
    ]
    try await withServer(["Echo": TestService.echo]) { port, _ in
      for (name, frame) in frames {
        let connection = try await RawConnection.connect(port: port)
        try await connection.write(RawConnection.preface)
        try? await connection.write(frame)
        let answer = try await connection.readToEnd()
        #expect(answer != nil, "\(name)")
        await connection.close()
      }
      try await expectService(port)
    }
  }

  @Test func headersWithoutWhatIsNeededResetTheirStream() async throws {
    try await withServer(["Echo": TestService.echo]) { port, _ in
      // :method POST and :scheme http, without :path.
      let connection = try await RawConnection.connect(port: port)
      try await connection.write(RawConnection.preface)
      try await connection.write(RawConnection.frame(type: 1, flags: 5, stream: 1, [0x83, 0x86]))
      // Another stream of that connection is answered: :path / is no method.
      try await connection.write(
        RawConnection.frame(type: 1, flags: 5, stream: 3, [0x83, 0x86, 0x84]))
      try await Task.sleep(for: .milliseconds(200))
      try await connection.write(RawConnection.frame(type: 0xFF, length: 0xFF_FFFF))
      let types = RawConnection.frameTypes(of: try await connection.readToEnd() ?? ByteBuffer())
      #expect(types.contains(3) && types.contains(1), "\(types)")
      try await expectService(port)
    }
  }

  @Test func longHeadersCloseTheConnection() async throws {
    try await withServer(["Echo": TestService.echo]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let long = String(repeating: "x", count: 12_000)
      let fine = try await client.call("Echo", ["a": long])
      try await fine.sendEnd()
      #expect(try await fine.status() == "0")
      _ = try? await client.call("Echo", ["a": long, "b": long, "c": long])
      try await client.channel.closeFuture.get()
      try await expectService(port)
    }
  }

  @Test func floodsCloseTheConnection() async throws {
    var pings = RawConnection.preface
    for _ in 0..<5000 {
      pings.writeImmutableBuffer(RawConnection.frame(type: 6, [0, 0, 0, 0, 0, 0, 0, 1]))
    }
    var resets = RawConnection.preface
    for number in 0..<5000 as Range<UInt32> {
      let stream = number * 2 + 1
      resets.writeImmutableBuffer(
        RawConnection.frame(type: 1, flags: 4, stream: stream, [0x83, 0x86, 0x84]))
      resets.writeImmutableBuffer(
        RawConnection.frame(type: 3, stream: stream, [0, 0, 0, 8]))
    }
    var limits = GatheringServerTransport.Limits()
    // As many as a client of thousands of short calls sends are none.
    #expect(limits.controlFramesPerHalfMinute > 100_000)
    limits.controlFramesPerHalfMinute = 2000
    try await withServer(["Echo": TestService.echo], limits: limits) { port, _ in
      for flood in [pings, resets] {
        let connection = try await RawConnection.connect(port: port)
        try? await connection.write(flood)
        #expect(try await connection.readToEnd() != nil)
      }
      try await expectService(port)
    }
  }

  @Test func requestsThatEndWithinAMessageAreErrors() async throws {
    try await withServer(["Count": TestService.count]) { port, _ in
      let client = try await TestClient.connect(port: port)
      for bytes: [UInt8] in [[0], [0, 0, 0, 0], [0, 0, 0, 0, 9], [0, 0, 0, 0, 9, 1, 2, 3]] {
        let call = try await client.call("Count")
        try await call.send(raw: ByteBuffer(bytes: bytes), isLast: true)
        #expect(try await call.status() == "13 the request ends within a message")
      }
      let compressed = try await client.call("Count")
      try await compressed.send(raw: ByteBuffer(bytes: [1, 0, 0, 0, 1, 7]), isLast: true)
      #expect(try await compressed.status().hasPrefix("13 a message is marked as compressed"))
      await client.close()
    }
  }

  @Test func randomBytesOnStreamsAndConnections() async throws {
    var random = SystemRandomNumberGenerator()
    try await withServer(["Echo": TestService.echo]) { port, _ in
      for _ in 0..<50 {
        let client = try await TestClient.connect(port: port)
        let call = try await client.call("Echo")
        let bytes = (0..<Int.random(in: 0..<64, using: &random)).map { _ in
          Bool.random(using: &random) ? 0 : UInt8.random(in: 0...255, using: &random)
        }
        try? await call.send(raw: ByteBuffer(bytes: bytes), isLast: true)
        _ = try? await call.status()
        await client.close()

        let connection = try await RawConnection.connect(port: port)
        var frames = RawConnection.preface
        for _ in 0..<8 {
          let payload = (0..<Int.random(in: 0..<16, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
          }
          frames.writeImmutableBuffer(
            RawConnection.frame(
              type: .random(in: 0...11, using: &random), flags: .random(in: 0...63, using: &random),
              stream: .random(in: 0...4, using: &random), payload))
        }
        try? await connection.write(frames)
        await connection.close()
      }
      try await expectService(port)
    }
  }

  /// Checks that a well-behaved client is served.
  private func expectService(_ port: Int) async throws {
    let client = try await TestClient.connect(port: port)
    let call = try await client.call("Echo")
    try await call.send("alive", isLast: true)
    #expect(try await call.nextText() == "alive")
    #expect(try await call.status() == "0")
    await client.close()
  }
}
