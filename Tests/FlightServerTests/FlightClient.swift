import Arrow
import Foundation
import GRPCCore
import GRPCInProcessTransport
import MagicAPI
import ProtobufCoding
import SwiftProtobuf

@testable import FlightServer

/// A client of a server in this process.
struct FlightClient {
  let client: GRPCClient<InProcessTransport.Client>

  /// What a call answered.
  struct Answer<Message: Sendable>: Sendable {
    var headers: Metadata
    var messages: [Message]
  }

  /// Calls `body` with a client of a service over `service`; the users `ana` and `eve`, who
  /// read, have the password `secret`; calls without credentials are an administrator's.
  static func with(
    _ service: FakeService, configuration: FlightConfiguration = .init(),
    _ body: @Sendable (FlightClient) async throws -> Void
  ) async throws {
    let flight = FlightService(configuration: configuration) { credentials in
      switch credentials.proof {
      case .none:
        return (Caller(user: "default", role: .admin, interface: "flight"), service)
      case .password(let user, "secret") where ["ana", "eve"].contains(user):
        return (Caller(user: user, role: .reader, interface: "flight"), service)
      default: throw APIError(.unauthenticated, "wrong user or password")
      }
    }
    let transport = InProcessTransport()
    try await withThrowingTaskGroup(of: Void.self) { group in
      let server = GRPCServer(transport: transport.server, services: [flight])
      let client = GRPCClient(transport: transport.client)
      group.addTask { try await server.serve() }
      group.addTask { try await client.runConnections() }
      try await body(FlightClient(client: client))
      client.beginGracefulShutdown()
      server.beginGracefulShutdown()
    }
  }

  func call<Input: Sendable, Output: Sendable>(
    _ method: String, _ inputs: [Input], _ metadata: Metadata = [:],
    _ serializer: some MessageSerializer<Input>, _ deserializer: some MessageDeserializer<Output>
  ) async throws -> Answer<Output> {
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest(metadata: metadata) { writer in
        for input in inputs { try await writer.write(input) }
      },
      descriptor: MethodDescriptor(
        fullyQualifiedService: "arrow.flight.protocol.FlightService", method: method),
      serializer: serializer, deserializer: deserializer, options: .defaults
    ) { response in
      var messages: [Output] = []
      for try await message in response.messages { messages.append(message) }
      return Answer(headers: response.metadata, messages: messages)
    }
  }

  func call<Input: SwiftProtobuf.Message, Output: SwiftProtobuf.Message>(
    _ method: String, _ input: Input, _ metadata: Metadata = [:], as _: Output.Type = Output.self
  ) async throws -> Answer<Output> {
    try await call(
      method, [input], metadata, ProtoSerializer<Input>(), ProtoDeserializer<Output>())
  }

  /// GetFlightInfo of a command of Flight SQL.
  func info(_ command: some SwiftProtobuf.Message, _ metadata: Metadata = [:]) async throws
    -> ProtoFlightInfo
  {
    try await call("GetFlightInfo", try descriptor(command), metadata).messages[0]
  }

  /// The rows of a ticket.
  func get(_ ticket: ProtoTicket, _ metadata: Metadata = [:]) async throws -> [RecordBatch] {
    try await stream(ticket, metadata).batches
  }

  /// The schema and the rows of a ticket.
  func stream(_ ticket: ProtoTicket, _ metadata: Metadata = [:]) async throws -> (
    schema: Schema?, batches: [RecordBatch], messageCount: Int
  ) {
    let answer = try await call(
      "DoGet", [ticket], metadata, ProtoSerializer<ProtoTicket>(), FlightDataDeserializer())
    var decoder = MessageDecoder()
    var batches: [RecordBatch] = []
    for message in answer.messages {
      if let batch = try decoder.decode(header: message.header, body: message.body) {
        batches.append(batch)
      }
    }
    return (decoder.schema, batches, answer.messages.count)
  }

  /// An action, and the messages that it answers.
  func act(_ type: String, _ body: some SwiftProtobuf.Message, _ metadata: Metadata = [:])
    async throws -> Answer<ProtoResult>
  {
    var action = ProtoAction()
    action.type = type
    action.body = try body.serializedBytes()
    return try await call("DoAction", action, metadata)
  }

  /// An action of Flight SQL.
  func act<Output: SwiftProtobuf.Message>(
    _ type: String, packing body: some SwiftProtobuf.Message, _ metadata: Metadata = [:],
    as _: Output.Type = Output.self
  ) async throws -> Output {
    let answer = try await act(type, try Google_Protobuf_Any(message: body), metadata)
    let any: Google_Protobuf_Any = try decodeProto(answer.messages[0].body)
    return try Output(unpackingAny: any)
  }

  /// A DoPut of batches.
  func put(
    _ descriptor: ProtoFlightDescriptor, _ batches: [RecordBatch], schema: Schema? = nil,
    _ metadata: Metadata = [:]
  ) async throws -> Answer<ProtoPutResult> {
    var messages: [IPCMessage] = []
    if let schema = schema ?? batches.first?.schema {
      var writer = StreamWriter(schema: schema)
      messages.append(writer.schemaMessage)
      for batch in batches { messages += try writer.messages(for: batch) }
    }
    var encoded = try messages.map { message -> [UInt8] in
      try FlightDataSerializer().serialize(OutgoingData(message: message))
    }
    // Protobuf's messages are joined by joining their bytes.
    var first = ProtoDescriptorMessage(descriptor).bytes
    if !encoded.isEmpty { first += encoded.removeFirst() }
    return try await call(
      "DoPut", [first] + encoded, metadata, Plain(), ProtoDeserializer<ProtoPutResult>())
  }

  func descriptor(_ command: some SwiftProtobuf.Message) throws -> ProtoFlightDescriptor {
    var descriptor = ProtoFlightDescriptor()
    descriptor.type = .cmd
    descriptor.cmd = Data(try packed(command))
    return descriptor
  }

  func path(_ names: String...) -> ProtoFlightDescriptor {
    var descriptor = ProtoFlightDescriptor()
    descriptor.type = .path
    descriptor.path = names
    return descriptor
  }

  private struct Plain: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
      Bytes(message)
    }
  }
}

/// The field of `FlightData` that holds a descriptor.
struct ProtoDescriptorMessage {
  let bytes: [UInt8]

  init(_ descriptor: ProtoFlightDescriptor) {
    let encoded: [UInt8] = (try? descriptor.serializedBytes()) ?? []
    var length = encoded.count
    var prefix: [UInt8] = [1 << 3 | 2]
    while length > 127 {
      prefix.append(UInt8(length & 127) | 128)
      length >>= 7
    }
    bytes = prefix + [UInt8(length)] + encoded
  }
}
