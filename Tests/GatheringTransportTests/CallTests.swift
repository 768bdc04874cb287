import GRPCCore
import NIOCore
import NIOHPACK
import NIOHTTP2
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct CallTests {
  @Test func unaryCallCarriesMetadata() async throws {
    let greet: TestHandler = { request, context, writer in
      let name = request.metadata[stringValues: "name"].first { _ in true } ?? ""
      let bytes = request.metadata[binaryValues: "some-bin"].first { _ in true } ?? []
      let connection = try #require(context.transportSpecific as? ConnectionInfo)
      #expect(!connection.isEncrypted)
      #expect(connection.remoteAddress?.ipAddress == "127.0.0.1")
      #expect(connection.deadline == nil)
      #expect(context.remotePeer.hasPrefix("ipv4:127.0.0.1:"))
      var text = ""
      for try await message in request.messages { text += String(buffer: message) }
      try await writer.write(MessageBytes(ByteBuffer(string: "\(text), \(name)! \(bytes)")))
      return ["trailer": "value", "more-bin": [1, 2, 255]]
    }
    try await withServer(["Greet": greet]) { port, _ in
      let client = try await TestClient.connect(port: port)
      // Base64 with and without padding.
      for bytes in ["AAH/3Q==", "AAH/3Q"] {
        let call = try await client.call("Greet", ["name": "Ada", "some-bin": bytes])
        try await call.send("hello", isLast: true)
        #expect(try await call.nextText() == "hello, Ada! [0, 1, 255, 221]")
        #expect(try await call.status() == "0")
        #expect(call.headers?.first(name: ":status") == "200")
        #expect(call.headers?.first(name: "content-type") == "application/grpc")
        #expect(call.trailers?.first(name: "trailer") == "value")
        #expect(call.trailers?.first(name: "more-bin") == "AQL/")
      }
      await client.close()
    }
  }

  @Test func clientStreamingOfManySmallMessages() async throws {
    try await withServer(["Count": TestService.count]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Count")
      for number in 0..<1000 { try await call.send("\(number)") }
      try await call.sendEnd()
      #expect(try await call.nextText() == "1000 2890")
      #expect(try await call.status() == "0")
      await client.close()
    }
  }

  @Test func serverStreamingGathersBuffers() async throws {
    let body = ByteBuffer(repeating: 7, count: 100_000)
    let stream: TestHandler = { request, _, writer in
      for try await _ in request.messages {}
      for number in 0..<100 {
        let message = [ByteBuffer(string: "message \(number)"), body, ByteBuffer(), body]
        try await writer.write(MessageBytes(gathering: message))
        try await writer.write(MessageBytes(ByteBuffer()))
      }
      return [:]
    }
    try await withServer(["Stream": stream]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Stream")
      try await call.sendEnd()
      for number in 0..<100 {
        var message = try #require(try await call.next())
        #expect(message.readString(length: "message \(number)".count) == "message \(number)")
        #expect(message == ByteBuffer(repeating: 7, count: 200_000))
        #expect(try await call.next()?.readableBytes == 0)
      }
      #expect(try await call.status() == "0")
      await client.close()
    }
  }

  @Test func bidirectionalEchoOfHundredMegabytes() async throws {
    try await withServer(["Echo": TestService.echo]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Echo")
      // The sizes straddle those at which messages are put together, shared and split.
      let sizes = [0, 1, 4, 100, 8191, 8192, 65_535, 65_536, 1 << 20, 3 << 20, 12_345_678]
      var byteCount = 0
      var number: UInt8 = 0
      while byteCount < 100_000_000 {
        for size in sizes {
          number &+= 1
          let message = ByteBuffer(repeating: number, count: size)
          let sending = call.channel.eventLoop.makePromise(of: Void.self)
          call.channel.writeAndFlush(HTTP2Frame.FramePayload.message(message), promise: sending)
          #expect(try await call.next() == message)
          try await sending.futureResult.get()
          byteCount += size
        }
      }
      try await call.sendEnd()
      #expect(try await call.status() == "0")
      #expect(call.trailers?.first(name: "end") == "reached")
      await client.close()
    }
  }

  @Test func manyCallsOnOneConnection() async throws {
    try await withServer(["Echo": TestService.echo]) { port, _ in
      let client = try await TestClient.connect(port: port)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask {
            let call = try await client.call("Echo")
            for round in 0..<5 {
              try await call.send("\(number) \(round)")
              #expect(try await call.nextText() == "\(number) \(round)")
            }
            try await call.sendEnd()
            #expect(try await call.status() == "0")
          }
        }
        try await group.waitForAll()
      }
      await client.close()
    }
  }

  @Test func errorsBecomeStatuses() async throws {
    struct Odd: Error {}
    let methods: [String: TestHandler] = [
      "Before": { _, _, _ in
        throw RPCError(
          code: .notFound, message: "Tabelle „Käse“ fehlt: 100%\n", metadata: ["a": "b"])
      },
      "After": { _, _, writer in
        try await writer.write(MessageBytes(ByteBuffer(string: "one")))
        throw RPCError(code: .aborted, message: "enough")
      },
      "Odd": { _, _, _ in throw Odd() },
      "Long": { _, _, _ in
        throw RPCError(code: .internalError, message: String(repeating: "ä", count: 100_000))
      },
      "BadTrailer": { _, _, _ in ["line": "one\r\ntwo"] },
    ]
    try await withServer(methods) { port, _ in
      let client = try await TestClient.connect(port: port)
      func status(_ method: String) async throws -> (String, TestCall) {
        let call = try await client.call(method)
        do {
          try await call.sendEnd()
        } catch ChannelError.ioOnClosedChannel {
          // The whole response came before the request's end was sent.
        }
        return (try await call.status(), call)
      }
      let (before, call) = try await status("Before")
      #expect(
        before == "5 Tabelle %E2%80%9EK%C3%A4se%E2%80%9C fehlt: 100%25%0A")
      #expect(call.trailers?.first(name: "a") == "b")
      #expect(try await status("After").0 == "10 enough")
      #expect(try await status("Odd").0.hasPrefix("2"))
      #expect(try await status("Long").0.utf8.count < 4200)
      #expect(try await status("BadTrailer").0.hasPrefix("13 response metadata"))
      #expect(try await status("None").0.hasPrefix("12"))
      await client.close()
    }
  }

  @Test func refusesWhatIsNotACall() async throws {
    try await withServer(["Echo": TestService.echo]) { port, _ in
      let client = try await TestClient.connect(port: port)
      func answer(_ headers: HPACKHeaders) async throws -> HPACKHeaders {
        let call = try await client.call("Echo", headers)
        _ = try await call.status()
        return try #require(call.trailers)
      }
      #expect(try await answer([":method": "GET"]).first(name: ":status") == "405")
      for type in ["text/plain", "application/grpcx", ""] {
        #expect(try await answer(["content-type": type]).first(name: ":status") == "415")
      }
      for path in ["/", "/test.Service", "/test.Service/", "//Echo", "x", "/a/b/c", "*"] {
        #expect(try await answer([":path": path]).first(name: "grpc-status") == "12", "\(path)")
      }
      let compressed = try await answer(["grpc-encoding": "gzip"])
      #expect(compressed.first(name: "grpc-status") == "12")
      #expect(compressed.first(name: "grpc-accept-encoding") == "identity")
      for timeout in ["-5S", "S", "1", "123456789S", "1.5S", "1x", "٣S"] {
        #expect(
          try await answer(["grpc-timeout": timeout]).first(name: "grpc-status") == "13",
          "\(timeout)")
      }
      // All of that on one connection, which still works.
      let call = try await client.call(
        "Echo", ["content-type": "application/grpc+proto", "grpc-encoding": "identity"])
      try await call.send("still here", isLast: true)
      #expect(try await call.nextText() == "still here")
      #expect(try await call.status() == "0")
      await client.close()
    }
  }

  @Test func earlyEndStopsTheClient() async throws {
    let refuse: TestHandler = { request, _, _ in
      for try await _ in request.messages { break }
      throw RPCError(code: .permissionDenied, message: "no")
    }
    try await withServer(["Refuse": refuse]) { port, _ in
      let client = try await TestClient.connect(port: port)
      let call = try await client.call("Refuse")
      try await call.send("first")
      #expect(try await call.status() == "7 no")
      try await call.channel.closeFuture.get()
      await client.close()
    }
  }
}
