import ArgumentParser
import FlightServer
import Foundation
import GatheringTransport
import HTTPServer
import LatchService
import LocalDatabase
import Logging
import MagicAPI
import PrometheusMetrics
import Replication
import ServiceLifecycle
import TLSCertificates

/// `magic serve`: serves a data folder to programs, and replicates into it if asked to.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve a data folder over Arrow Flight SQL and HTTP, and latches.",
    discussion: """
      Answers Arrow Flight SQL clients (Python, ADBC, JDBC), ClickHouse's HTTP clients, and the \
      other commands given the same --data. Browsers get a console where HTTP clients connect. With \
      --source it follows a MySQL or MariaDB server in the same process. Without users it listens on \
      loopback addresses only. Stops cleanly on SIGTERM and SIGINT; SIGHUP reads users and \
      certificates again.
      """)

  @OptionGroup var data: DataFolderOptions

  /// Taken from the arguments before they are parsed, see ``ConfigurationFile``.
  @Option(
    help: """
      A file with options, YAML; see `magic config`. Those on the command line go before it.
      """, completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Option(help: "Where HTTP clients connect: HOST:PORT, port 0 for any, or none.")
  var http = ListenAddress(host: "127.0.0.1", port: 8123)

  @Option(
    help: """
      The origin whose web pages may use the server from a browser, such as https://bi.example.
      """,
    transform: { text in
      guard text.wholeMatch(of: /https?:\/\/[A-Za-z0-9.\-\[\]:]+/) != nil else {
        throw ValidationError(
          "'\(text)' is no origin: a scheme and a host, and a port where it is not the usual one.")
      }
      return text
    })
  var allowOrigin: String?

  @Option(help: "Where Flight SQL clients connect: HOST:PORT, port 0 for any, or none.")
  var flight = ListenAddress(host: "127.0.0.1", port: 32010)

  @Option(help: "The URI at which remote Flight clients reach this server; repeatable.")
  var advertise: [String] = []

  @Option(help: "Where clients of the latches connect: HOST:PORT, port 0 for any, or none.")
  var latch = ListenAddress(host: "127.0.0.1", port: 32011)

  @Option(
    help: """
      Where latches are kept: file, in the data folder, or etcd://HOST:PORT[,HOST:PORT…], for several \
      servers.
      """)
  var latchStore = LatchStoreAddress.file

  @OptionGroup(title: "Access") var access: AccessOptions
  @OptionGroup(title: "Limits") var limits: LimitOptions
  @OptionGroup(title: "Replication") var writer: WriterOptions
  @OptionGroup(title: "Latches of several servers") var latchNodes: LatchNodeOptions
  @OptionGroup var logging: LogOptions

  func run() async throws {
    let events = EventLog()
    let logger = logging.makeLogger("magic.serve", events: events)
    // What is measured asks for its metrics when it is made, so this comes first.
    let metrics = Metrics.start()
    let guardian = try makeGuard(logger: logger)
    let source = try writer.makeSource()
    let folder = try DataFolder(creating: data.path)
    let lock = try folder.lock()
    let latches = try latchNodes.makeNode(
      folder: folder.path, store: latchStore, listen: latch,
      usesTLS: guardian.certificates != nil, logger: logger)
    let served = try await ServedFolder(
      folder, lock: lock, limits: limits.makeLimits(), diskReserve: limits.diskReserve,
      fence: LatchFence(latches), keepsQueryLog: true, logger: logger)
    do {
      try await serve(served, latches, guardian, metrics, events, source, logger)
    } catch {
      await served.close()
      throw error
    }
    await served.close()
  }

  /// Reads what the options name, and starts nothing.
  func check() throws {
    _ = try makeGuard(logger: logging.makeLogger("magic.config"))
    _ = try writer.makeSource()
  }

  private func makeGuard(logger: Logger) throws -> Guard {
    try access.makeGuard(
      of: [("--http", http), ("--flight", flight), ("--latch", latch)], logger: logger)
  }

  private func serve(
    _ served: ServedFolder, _ latches: LatchNode, _ guardian: Guard,
    _ metrics: PrometheusRegistry, _ events: EventLog, _ source: ServerSource?, _ logger: Logger
  ) async throws {
    // Later services stop first, so what the servers need outlives them.
    var services: [any Service] = [
      guardian, makeLatchServer(latches, listen: latch, guardian, logger: logger),
      APIService(api: served.api),
    ]
    var contents = served.contents
    contents.authenticator = guardian.authenticator
    contents.metrics = { metrics.text() }
    contents.allowedOrigin = allowOrigin
    contents.hasConsole = true
    let history = History(metrics: metrics)
    services.append(history)
    contents.views["me"] = Acquaintance.view(
      isOpen: guardian.authenticator.isOpen, replicates: source != nil,
      diskReserve: served.disk.byteCount)
    contents.views["history"] = { try await history.view($0, after: $1) }
    contents.views["events"] = { try events.view($0, after: $1) }
    contents.views["latches"] = LatchListing.view(of: latches)
    contents.routes["latches/revoke"] = LatchListing.revoking(at: latches, logger: logger)
    let health = HealthService()
    var isReady: @Sendable () async -> Bool = { true }
    if let source {
      let replication = WriterService(
        tables: ReservedSink(sink: served.open.tables, disk: served.disk), store: served.store,
        server: source, configuration: writer.configuration, logger: logger)
      services.append(replication)
      services.append(ReplicationMetrics(writer: replication))
      let verification = writer.verification.makeService(
        server: try writer.makeSource() ?? source, copy: served.open.statements,
        options: writer.selection.encodingOptions,
        status: { try await replication.knownStatus }, logger: logger)
      if let verification { services.append(verification) }
      contents.views["status"] = statusView { [folder = served.folder] in
        try await replication.status(verification: await verification?.status) {
          try offlineStatus(dataFolder: folder)
        }
      }
      contents.routes[WriterRequest.route] = { json in
        try await WriterRequest.answer(json) { try await replication.perform($0) }
      }
      isReady = { await replication.isReady }
    }
    contents.whyNotReady = { [isReady] in
      await isReady() ? nil : "not all tables have reached a state of the source yet"
    }
    var listeners = [try Listener(unixSocket: served.folder.socketPath)]
    if let host = http.host {
      let listener = try Listener(
        host: host, port: http.port, certificates: guardian.certificates)
      listeners.append(listener)
      logger.notice("HTTP on \(listener.description)")
    }
    services.append(served.makeHTTPServer(listeners, contents))
    if let host = flight.host {
      services.append(makeFlightServer(host, served.api, guardian, health, logger))
      services.append(HealthUpdates(health: health, isReady: isReady))
    }
    try await runGroup(services, logger: logger)
  }

  private func makeFlightServer(
    _ host: String, _ api: MagicAPI, _ guardian: Guard, _ health: HealthService, _ logger: Logger
  ) -> FlightServer {
    var bounds = GatheringServerTransport.Limits()
    bounds.shutdownGrace = limits.shutdownGrace.duration
    let transport = GatheringServerTransport(
      host: host, port: flight.port,
      tls: { [certificates = guardian.certificates] in certificates?.context(for: .http2) },
      limits: bounds, logger: logger)
    var configuration = FlightConfiguration()
    configuration.locations = advertise
    configuration.version = Magic.configuration.version
    configuration.transactionLifetime = limits.transactionTimeout.duration
    let service = FlightService(configuration: configuration) {
      [authenticator = guardian.authenticator] credentials in
      let caller = try await authenticator.caller(credentials)
      return (caller, api.service(for: caller))
    }
    return FlightServer(transport: transport, services: [service, health], logger: logger)
  }
}

extension Authenticator {
  /// Who sent a Flight call.
  fileprivate func caller(_ credentials: Credentials) async throws -> Caller {
    let (user, password) =
      switch credentials.proof {
      case .none: ("", "")
      case .password(let user, let password): (user, password)
      case .token(let token): ("", token)
      }
    if credentials.proof == .none, !isOpen {
      throw APIError(.unauthenticated, "say who you are, by a user and a password, or by a token")
    }
    return try await authenticate(
      user: user, password: password, interface: "flight", address: credentials.address)
  }
}
