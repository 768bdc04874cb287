import GRPCCore
import NIOCore
import NIOHPACK
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct HealthServiceTests {
  private func request(_ name: String) -> ByteBuffer {
    var bytes = ByteBuffer()
    if !name.isEmpty {
      bytes.writeMultipleIntegers(UInt8(0x0A), UInt8(name.utf8.count))
      bytes.writeString(name)
    }
    return bytes
  }

  @Test func checksAndWatches() async throws {
    let health = HealthService()
    try await withServer([:], services: [health]) { port, _ in
      let client = try await TestClient.connect(port: port)
      func check(_ message: ByteBuffer) async throws -> (ByteBuffer?, String) {
        let call = try await client.call("", [":path": "/grpc.health.v1.Health/Check"])
        try await call.send(message, isLast: true)
        let answer = try await call.next()
        return (answer, try await call.status())
      }
      #expect(try await check(request("")) == (ByteBuffer(bytes: [8, 2]), "0"))
      health.set(.serving)
      #expect(try await check(request("")) == (ByteBuffer(bytes: [8, 1]), "0"))
      #expect(try await check(request("x")) == (nil, "5 there is no service of that name"))
      health.set(.notServing, for: "x")
      #expect(try await check(request("x")) == (ByteBuffer(bytes: [8, 2]), "0"))
      for malformed: [UInt8] in [[0x0A], [0x0A, 9, 1], [0x0A, 1, 0xFF], [7], [0xFF, 0xFF]] {
        #expect(try await check(ByteBuffer(bytes: malformed)).1.hasPrefix("3 "))
      }
      // Fields that a later version may have are passed over.
      let later: [UInt8] = [0x10, 5, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x25, 0, 0, 0, 0, 0x0A, 1, 0x78]
      #expect(try await check(ByteBuffer(bytes: later)) == (ByteBuffer(bytes: [8, 2]), "0"))

      let watch = try await client.call("", [":path": "/grpc.health.v1.Health/Watch"])
      try await watch.send(request("new"), isLast: true)
      #expect(try await watch.next() == ByteBuffer(bytes: [8, 3]))
      health.set(.serving, for: "new")
      #expect(try await watch.next() == ByteBuffer(bytes: [8, 1]))
      health.stop()
      #expect(try await watch.next() == ByteBuffer(bytes: [8, 2]))
      #expect(try await watch.status() == "14 the server is stopping")
      #expect(try await check(request("")) == (ByteBuffer(bytes: [8, 2]), "0"))
      await client.close()
    }
  }
}
