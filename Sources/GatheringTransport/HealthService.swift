public import GRPCCore
import NIOCore
import Synchronization

/// gRPC's standard health service, `grpc.health.v1.Health`, for the server as a whole (the empty
/// name) and for services by name.
public final class HealthService: RegistrableRPCService {
  /// Whether a service takes calls; the numbers are those of the protocol.
  public enum Status: UInt8, Sendable {
    /// It takes calls.
    case serving = 1
    /// It exists, but takes none at the moment.
    case notServing = 2
    /// There is no such service; only told to watchers, who may wait for it.
    case serviceUnknown = 3
  }

  private struct State {
    var statuses: [String: Status]
    var watchers: [Int: (name: String, updates: AsyncStream<Status>.Continuation)] = [:]
    var nextID = 0
    var isStopped = false
  }

  private let state: Mutex<State>

  /// Makes a service that knows the server itself, which is not serving yet, and nothing else.
  public init() {
    state = Mutex(State(statuses: ["": .notServing]))
  }

  /// Tells all watchers of a service, unless ``stop()`` was called.
  ///
  /// `name` is the service's full name; empty for the server as a whole.
  public func set(_ status: Status, for name: String = "") {
    state.withLock { state in
      guard !state.isStopped else { return }
      state.statuses[name] = status
      for watcher in state.watchers.values where watcher.name == name {
        watcher.updates.yield(status)
      }
    }
  }

  /// Says that nothing is served any more, and lets the watchers go, so that they do not hold up a
  /// graceful shutdown.
  public func stop() {
    state.withLock { state in
      state.isStopped = true
      for name in state.statuses.keys { state.statuses[name] = .notServing }
      for watcher in state.watchers.values {
        watcher.updates.yield(.notServing)
        watcher.updates.finish()
      }
    }
  }

  /// Adds `Check` and `Watch` to a router.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    let service = ServiceDescriptor(fullyQualifiedService: "grpc.health.v1.Health")
    router.registerHandler(
      forMethod: MethodDescriptor(service: service, method: "Check"),
      deserializer: HealthRequestDeserializer(), serializer: HealthResponseSerializer()
    ) { request, _ in
      try await self.check(request)
    }
    router.registerHandler(
      forMethod: MethodDescriptor(service: service, method: "Watch"),
      deserializer: HealthRequestDeserializer(), serializer: HealthResponseSerializer()
    ) { request, _ in
      try await self.watch(request)
    }
  }

  private func check(
    _ request: StreamingServerRequest<String>
  ) async throws -> StreamingServerResponse<Status> {
    let name = try await Self.onlyMessage(of: request)
    guard let status = state.withLock({ $0.statuses[name] }) else {
      throw RPCError(code: .notFound, message: "there is no service of that name")
    }
    return StreamingServerResponse { writer in
      try await writer.write(status)
      return [:]
    }
  }

  private func watch(
    _ request: StreamingServerRequest<String>
  ) async throws -> StreamingServerResponse<Status> {
    let name = try await Self.onlyMessage(of: request)
    return StreamingServerResponse { writer in
      let (id, updates) = self.addWatcher(of: name)
      defer { self.state.withLock { $0.watchers[id] = nil } }
      for await status in updates { try await writer.write(status) }
      try Task.checkCancellation()
      throw RPCError(code: .unavailable, message: "the server is stopping")
    }
  }

  private func addWatcher(of name: String) -> (id: Int, updates: AsyncStream<Status>) {
    let (updates, continuation) = AsyncStream.makeStream(
      of: Status.self, bufferingPolicy: .bufferingNewest(1))
    return state.withLock { state in
      state.nextID += 1
      state.watchers[state.nextID] = (name, continuation)
      continuation.yield(state.statuses[name] ?? .serviceUnknown)
      if state.isStopped { continuation.finish() }
      return (state.nextID, updates)
    }
  }

  private static func onlyMessage(
    of request: StreamingServerRequest<String>
  ) async throws -> String {
    for try await name in request.messages { return name }
    throw RPCError(code: .internalError, message: "the request has no message")
  }
}

/// Reads a `HealthCheckRequest`: a service's name, as field 1.
struct HealthRequestDeserializer: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> String {
    var bytes = bytes.withUnsafeBytes { ByteBuffer(bytes: $0) }
    var name = ""
    while bytes.readableBytes > 0 {
      guard let tag = bytes.readVarint() else { throw Self.malformed }
      switch tag & 7 {
      case 0:
        guard bytes.readVarint() != nil else { throw Self.malformed }
      case 1:
        guard bytes.readSlice(length: 8) != nil else { throw Self.malformed }
      case 2:
        guard let length = bytes.readVarint().flatMap({ Int(exactly: $0) }),
          let field = bytes.readSlice(length: length)
        else { throw Self.malformed }
        if tag >> 3 == 1 {
          guard let text = String(validating: field.readableBytesView, as: UTF8.self) else {
            throw Self.malformed
          }
          name = text
        }
      case 5:
        guard bytes.readSlice(length: 4) != nil else { throw Self.malformed }
      default: throw Self.malformed
      }
    }
    return name
  }

  private static var malformed: RPCError {
    RPCError(code: .invalidArgument, message: "the request is not a HealthCheckRequest")
  }
}

/// Writes a `HealthCheckResponse`: a status, as field 1.
struct HealthResponseSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ status: HealthService.Status) throws -> Bytes {
    Bytes([0x08, status.rawValue])
  }
}

extension ByteBuffer {
  /// Reads a Protocol Buffers integer; nil when it is longer than 64 bits, or than the buffer.
  fileprivate mutating func readVarint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = readInteger(as: UInt8.self) else { return nil }
      guard shift < 63 || byte <= 1 else { return nil }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}
