import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// Calls gRPC methods with bytes.
struct RawClient: Sendable {
  private let client: GRPCClient<HTTP2ClientTransport.Posix>
  private let task: Task<Void, Never>

  init(host: String, port: Int) throws {
    var configuration = HTTP2ClientTransport.Posix.Config.defaults
    // A call and its end in one write, without which etcd may reset the stream before its answer is read.
    configuration.connection.flushCoalescing = .init(
      maxFlushDelay: .microseconds(300), maxBytes: 64 << 10)
    let client = GRPCClient(
      transport: try HTTP2ClientTransport.Posix(
        target: .dns(host: host, port: port), transportSecurity: .plaintext,
        config: configuration))
    self.client = client
    task = Task { do { try await client.runConnections() } catch {} }
  }

  func close() {
    client.beginGracefulShutdown()
    task.cancel()
  }

  /// Makes a call that may be repeated.
  func call(_ service: String, _ method: String, _ message: [UInt8]) async throws -> [UInt8] {
    while true {
      do {
        return try await callOnce(service, method, message)
      } catch let error as RPCError where error.code == .unavailable {
        try await Task.sleep(for: .milliseconds(1))
      }
    }
  }

  private func callOnce(
    _ service: String, _ method: String, _ message: [UInt8]
  ) async throws -> [UInt8] {
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest { try await $0.write(message) },
      descriptor: MethodDescriptor(fullyQualifiedService: service, method: method),
      serializer: Raw(), deserializer: Raw(), options: .defaults
    ) { response in
      for try await message in response.messages { return message }
      throw RPCError(code: .internalError, message: "\(method) is not answered")
    }
  }
}

private struct Raw: MessageSerializer, MessageDeserializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
    bytes.withUnsafeBytes { Array($0) }
  }
}

extension [UInt8] {
  /// The bytes of a number in a protobuf message with fields of numbers and bytes only.
  func varint(field: UInt8) -> [UInt8] { self.field(field << 3) }

  /// The bytes of a field of bytes, shorter than 128.
  func bytes(field: UInt8) -> [UInt8] { self.field(field << 3 | 2) }

  private func field(_ tag: UInt8) -> [UInt8] {
    var rest = self[...]
    while let found = rest.popFirst() {
      let content: ArraySlice<UInt8>
      if found & 7 == 2 {
        content = rest.dropFirst().prefix(Int(rest.first ?? 0))
        rest = rest.dropFirst(content.count + 1)
      } else {
        content = rest.prefix((rest.firstIndex { $0 < 128 } ?? rest.endIndex) - rest.startIndex + 1)
        rest = rest.dropFirst(content.count)
      }
      if found == tag { return Array(content) }
    }
    return []
  }
}
