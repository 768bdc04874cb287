import GRPCCore
import GatheringTransport
import Logging
import NIOCore
import NIOSSL

/// Handles one call of a test's service: reads requests, writes responses, returns trailing metadata.
typealias TestHandler =
  @Sendable (
    _ request: StreamingServerRequest<ByteBuffer>, _ context: ServerContext,
    _ writer: RPCWriter<MessageBytes>
  ) async throws -> Metadata

/// A service `test.Service` whose messages are plain bytes.
struct TestService: RegistrableRPCService {
  let methods: [String: TestHandler]

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    for (name, handler) in methods {
      router.registerHandler(
        forMethod: MethodDescriptor(fullyQualifiedService: "test.Service", method: name),
        deserializer: BytesDeserializer(), serializer: BytesSerializer()
      ) { request, context in
        StreamingServerResponse { writer in try await handler(request, context, writer) }
      }
    }
  }
}

private struct BytesSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: MessageBytes) throws -> Bytes {
    if let bytes = message as? Bytes { return bytes }
    return message.withUnsafeBytes { Bytes($0) }
  }
}

private struct BytesDeserializer: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> ByteBuffer {
    if let message = bytes as? MessageBytes { return message.contiguous }
    return bytes.withUnsafeBytes { ByteBuffer(bytes: $0) }
  }
}

extension TestService {
  /// Answers each message with itself.
  static let echo: TestHandler = { request, _, writer in
    for try await message in request.messages { try await writer.write(MessageBytes(message)) }
    return ["end": "reached"]
  }

  /// Answers with the number of messages and of their bytes, after the last one.
  static let count: TestHandler = { request, _, writer in
    var counts = (messages: 0, bytes: 0)
    for try await message in request.messages {
      counts.messages += 1
      counts.bytes += message.readableBytes
    }
    try await writer.write(
      MessageBytes(ByteBuffer(string: "\(counts.messages) \(counts.bytes)")))
    return [:]
  }
}

/// Runs a server with a service of these methods, and others, while a closure runs.
func withServer(
  _ methods: [String: TestHandler], services: [any RegistrableRPCService] = [],
  limits: GatheringServerTransport.Limits = .init(),
  tls: @escaping GatheringServerTransport.TLSProvider = { nil },
  _ body: (_ port: Int, _ server: GRPCServer<GatheringServerTransport>) async throws -> Void
) async throws {
  let transport = GatheringServerTransport(
    port: 0, tls: tls, limits: limits, logger: Logger(label: "test"))
  let server = GRPCServer(
    transport: transport, services: [TestService(methods: methods)] + services)
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    let port = try await transport.listeningAddress.port ?? 0
    do {
      try await body(port, server)
    } catch {
      group.cancelAll()
      throw error
    }
    server.beginGracefulShutdown()
    try await group.waitForAll()
  }
}
