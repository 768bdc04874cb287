import Foundation
import GRPCCore
import Logging
import MagicAPI
import ProtobufCoding
import SwiftProtobuf

/// Serves Arrow Flight and Flight SQL over what a program may ask of Magic.
///
/// `docs/flight-sql.md` describes what clients can do.
public struct FlightService: RegistrableRPCService {
  /// Tells who a caller is, and gives the service as that caller has it.
  ///
  /// - Throws: `APIError` of kind `unauthenticated` when the credentials are not somebody's.
  public typealias Services =
    @Sendable (Credentials) async throws -> (
      caller: Caller, service: any MagicService
    )

  let configuration: FlightConfiguration
  let prepared: HandleTable<PreparedStatement>
  let flights = RunningFlights()
  private let services: Services
  /// What the tokens stand for that were given in handshakes.
  private let tokens: HandleTable<Credentials.Proof>
  let sessions: HandleTable<Session>

  /// Makes a service, which asks `services` at every call.
  public init(configuration: FlightConfiguration = .init(), services: @escaping Services) {
    self.configuration = configuration
    self.services = services
    let (lifetime, count) = (configuration.handleLifetime, configuration.handleCount)
    prepared = HandleTable(lifetime: lifetime, countLimit: count)
    tokens = HandleTable(lifetime: lifetime, countLimit: count)
    sessions = HandleTable(lifetime: lifetime, countLimit: count)
  }

  /// Makes the methods of `arrow.flight.protocol.FlightService` known to a server.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    register("Handshake", in: &router, ProtoDeserializer(), ProtoSerializer(), handshake)
    answer("GetFlightInfo", in: &router) {
      // A session that is named only when it begins may stay nameless: Go's client loses, now and
      // then, the headers of answers that are streams.
      $1.nameSession()
      return [try await flightInfo(for: $0, &$1)]
    }
    answer("PollFlightInfo", in: &router) { [try await pollInfo(for: $0, &$1)] }
    answer("GetSchema", in: &router) { [try await schemaResult(for: $0, $1)] }
    answer("ListFlights", in: &router) { (_: ProtoCriteria, call) in try await listFlights(call) }
    answer("DoAction", in: &router) { try await perform($0, &$1) }
    answer("ListActions", in: &router) { (_: ProtoEmpty, _) in ActionName.descriptions }
    register("DoGet", in: &router, ProtoDeserializer(), FlightDataSerializer(), get)
    register("DoPut", in: &router, FlightDataDeserializer(), ProtoSerializer(), put)
  }

  // MARK: Registration

  private static let name = "arrow.flight.protocol.FlightService"

  private typealias Handler<Input: Sendable, Output: Sendable> =
    @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
    StreamingServerResponse<Output>

  private func register<Transport, Input, Output>(
    _ method: String, in router: inout RPCRouter<Transport>,
    _ deserializer: some MessageDeserializer<Input>, _ serializer: some MessageSerializer<Output>,
    _ handler: @escaping Handler<Input, Output>
  ) {
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: Self.name, method: method),
      deserializer: deserializer, serializer: serializer
    ) { request, context in
      do {
        return try await handler(request, context)
      } catch {
        throw RPCError(wrapping: error)
      }
    }
  }

  /// Registers a method that answers one message with messages that are all made beforehand.
  private func answer<Transport, Input: SwiftProtobuf.Message, Output: SwiftProtobuf.Message>(
    _ method: String, in router: inout RPCRouter<Transport>,
    _ body: @escaping @Sendable (Input, inout Call) async throws -> [Output]
  ) {
    register(method, in: &router, ProtoDeserializer<Input>(), ProtoSerializer<Output>()) {
      request, context in
      var call = try await call(request.metadata, context)
      let input = try await request.onlyMessage()
      let output = try await body(input, &call)
      return StreamingServerResponse(metadata: call.responseMetadata) { writer in
        try await writer.write(contentsOf: output)
        return [:]
      }
    }
  }

  // MARK: Who calls

  /// Finds out who calls, and in which session.
  func call(_ metadata: Metadata, _ context: ServerContext) async throws -> Call {
    var proof = try metadata.proof
    if case .token(let token) = proof, let own = tokens.use(token) { proof = own }
    let (caller, service) = try await services(
      Credentials(proof: proof, address: context.remotePeer))
    var call = Call(caller: caller, service: service)
    if let name = metadata.cookie(Session.cookie), Session.isName(name) {
      call.sessionName = name
      if let session = sessions.use(name, owner: caller.user) { call.session = session }
    }
    if let database = metadata.text("database"), !database.isEmpty {
      call.session.database = database
    }
    call.readsAllEndpoints = metadata.clientReadsAllEndpoints
    if let count = metadata.text("x-magic-endpoints").flatMap({ Int($0) }) {
      call.session.endpointCount = count
    }
    if let snapshot = metadata.text("x-magic-snapshot") { call.session.snapshot = snapshot }
    if let gtids = metadata.text("x-magic-at-least") { call.session.atLeast = gtids }
    if let text = metadata.text("x-magic-fencing-token") {
      guard let token = UInt64(text) else {
        throw APIError.invalid("the header x-magic-fencing-token is no number")
      }
      call.session.fencingToken = token
    }
    // Whatever the call reads is read after that.
    if let gtids = call.session.atLeast, call.session.snapshot == nil {
      _ = try await service.commitPoint(atLeast: gtids, timeout: nil)
    }
    return call
  }

  /// Gives a token for the password in the `authorization` header, or in the first message.
  private func handshake(
    _ request: StreamingServerRequest<ProtoHandshakeRequest>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<ProtoHandshakeResponse> {
    var proof = try request.metadata.proof
    var isInMessage = false
    if proof == .none {
      for try await message in request.messages {
        let login: ProtoBasicAuth = try decodeProto(message.payload)
        proof = .password(user: login.username, password: login.password)
        isInMessage = true
        break
      }
    }
    _ = try await services(Credentials(proof: proof, address: context.remotePeer))
    let token: String =
      if case .token(let token) = proof, tokens.use(token) != nil { token } else {
        tokens.add(proof)
      }
    var response = ProtoHandshakeResponse()
    if isInMessage { response.payload = Data(token.utf8) }
    return StreamingServerResponse(metadata: ["authorization": "Bearer \(token)"]) {
      [response] writer in
      try await writer.write(response)
      return [:]
    }
  }
}

extension StreamingServerRequest {
  /// The message of a call that has one.
  fileprivate func onlyMessage() async throws -> Message {
    for try await message in messages { return message }
    throw RPCError(code: .invalidArgument, message: "the call came without its message")
  }
}

extension Metadata {
  func text(_ key: String) -> String? { self[stringValues: key].first { _ in true } }

  /// How the caller proves who it is.
  fileprivate var proof: Credentials.Proof {
    get throws {
      if let header = text("authorization") {
        return try Credentials.Proof(authorization: header)
      }
      // What a client sends after a handshake with its name and password in a message.
      if let token = self[binaryValues: "auth-token-bin"].first(where: { _ in true }) {
        return .token(String(decoding: token, as: UTF8.self))
      }
      return .none
    }
  }

  /// The value of a cookie.
  fileprivate func cookie(_ name: String) -> String? {
    for header in self[stringValues: "cookie"] {
      for cookie in header.split(separator: ";") {
        let parts = cookie.split(separator: "=", maxSplits: 1)
        if parts.count == 2, parts[0].drop(while: { $0 == " " }) == name {
          return parts[1].trimmingCharacters(in: .whitespaces.union(["\""]))
        }
      }
    }
    return nil
  }

  /// Whether the client is one of those that read every endpoint of a flight, as the specification
  /// asks. Some in use read the first one only, and would lose rows without a word.
  fileprivate var clientReadsAllEndpoints: Bool {
    let agent = text("user-agent") ?? ""
    return ["ADBC Flight SQL Driver", "grpc-java"].contains { agent.contains($0) }
  }
}
