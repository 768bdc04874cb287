import Foundation
import LatchClient
import LatchService
import Latches
import Logging
import Synchronization

/// What is given as `NAME=VALUE`.
struct Settings {
  private var values: [String: String] = [:]

  init(_ arguments: ArraySlice<String>) {
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1)
      if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
    }
  }

  func text(_ name: String, _ standard: String) -> String { values[name] ?? standard }
  func number(_ name: String, _ standard: Int) -> Int {
    values[name].flatMap { Int($0) } ?? standard
  }
}

/// Counts what several clients do side by side for some seconds.
private func measure(
  _ name: String, clients: Int, seconds: Int,
  _ body: @escaping @Sendable (_ client: Int, _ end: ContinuousClock.Instant) async throws -> Int
) async throws {
  let start = ContinuousClock.now
  let end = start + .seconds(seconds)
  let count = try await withThrowingTaskGroup(of: Int.self) { group in
    for client in 0..<clients { group.addTask { try await body(client, end) } }
    return try await group.reduce(0, +)
  }
  let elapsed = (ContinuousClock.now - start) / .seconds(1)
  print(
    "{\"name\":\"\(name)\",\"clients\":\(clients),\"count\":\(count),"
      + "\"rate\":\(Int(Double(count) / elapsed))}")
}

/// Clients that acquire and release latches as fast as they can, and write down what happened if they are
/// asked to.
struct LatchLoad: Sendable {
  private let endpoints: [String]
  private let clientCount: Int
  private let seconds: Int
  private let resourceCount: Int
  private let mode: Mode?
  private let timeToLive: Duration
  private let wait: Duration
  private let hold: Duration
  private let history: History?

  init(_ arguments: ArraySlice<String>) throws {
    let settings = Settings(arguments)
    endpoints = settings.text("connect", "127.0.0.1:32011").split(separator: ",").map(String.init)
    clientCount = settings.number("clients", 1)
    seconds = settings.number("seconds", 5)
    resourceCount = settings.number("resources", 1)
    // Anything else is some of each.
    mode = Mode(text: settings.text("mode", "X"))
    timeToLive = .milliseconds(settings.number("ttl", 10_000))
    wait = .milliseconds(settings.number("wait", 30_000))
    hold = .milliseconds(settings.number("hold", 0))
    let path = settings.text("history", "")
    history = path.isEmpty ? nil : try History(path: path)
  }

  func run() async throws {
    try await measure("latches", clients: clientCount, seconds: seconds) { client, end in
      var configuration = LatchClientConfiguration(endpoints: endpoints)
      configuration.callTimeout = min(.seconds(5), max(timeToLive, .seconds(1)))
      let connection = LatchClient(configuration)
      defer { connection.close() }
      return try await work(client, connection, until: end)
    }
  }

  private func work(
    _ number: Int, _ client: LatchClient, until end: ContinuousClock.Instant
  ) async throws -> Int {
    var count = 0
    while .now < end {
      do {
        let session = try await client.openSession(timeToLive: timeToLive)
        let keeping = Task { await session.keepAlive() }
        defer { keeping.cancel() }
        while .now < end, session.loss == nil {
          try await step(number, session, count)
          count += 1
        }
        if session.loss == nil { try await session.close() }
      } catch {
        // Whoever only measures wants to know; whoever disturbs knows that this happens.
        if history == nil { throw error }
      }
    }
    return count
  }

  private func step(_ number: Int, _ session: LatchSession, _ count: Int) async throws {
    // One client after the other on its own, unless they share.
    let index = resourceCount > 1 ? (number &* 7 &+ count) % resourceCount : 0
    let resource = Resource(["d", resourceCount == 0 ? "t\(number)" : "t\(index)"])
    let mode = mode ?? ((number + count).isMultiple(of: 3) ? .exclusive : .shared)
    let invoked = ContinuousClock.now
    let grant: Grant
    do {
      grant = try await session.acquire([Wish(resource, mode)], wait: wait)
    } catch let error as LatchCallError where error.kind == .timedOut {
      return
    }
    let returned = ContinuousClock.now
    guard let history else {
      try await session.release(grant.token)
      return
    }
    var sure = returned
    if session.loss != nil { sure = invoked }
    let until = returned + hold * Double.random(in: 0...1)
    repeat {
      let now = ContinuousClock.now
      if session.loss != nil { break }
      sure = now
      try await Task.sleep(for: .milliseconds(1))
    } while .now < until
    var record = Record(
      resource: resource.description, mode: mode.description, token: grant.token, client: number,
      acquire: [history.time(invoked), history.time(returned)], sure: history.time(sure),
      release: nil)
    guard session.loss == nil else { return history.add(record) }
    let releasing = ContinuousClock.now
    do {
      try await session.release(grant.token)
      record.release = [history.time(releasing), history.time(.now)]
    } catch {
      // It may have been released, or was lost.
      history.add(record)
      throw error
    }
    history.add(record)
  }
}

/// What was held by whom and when, one JSON object a line, in nanoseconds since the machine was started.
private struct Record: Encodable {
  var resource: String
  var mode: String
  var token: UInt64
  var client: Int
  /// When it was asked for, and when that was answered.
  var acquire: [Int64]
  /// When it was held for certain, by the client's clock, at last.
  var sure: Int64
  /// When it was given up, and when that was answered; nil when it was lost, or nobody knows.
  var release: [Int64]?
}

private final class History: Sendable {
  private let descriptor: Int32
  private let start = (instant: ContinuousClock.now, time: bootTime())

  init(path: String) throws {
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
  }

  func time(_ instant: ContinuousClock.Instant) -> Int64 {
    Int64((start.time + (instant - start.instant)) / .nanoseconds(1))
  }

  func add(_ record: Record) {
    guard let line = try? JSONEncoder().encode(record) + [UInt8(ascii: "\n")] else { return }
    // In one piece, so that several processes can share the file.
    _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
  }
}

/// Clients of a node in this process.
struct NodeLoad: Sendable {
  private let folder: String
  private let clientCount: Int
  private let seconds: Int
  private let resourceCount: Int
  private let mode: Mode

  init(_ arguments: ArraySlice<String>) {
    let settings = Settings(arguments)
    folder = settings.text("folder", ".")
    clientCount = settings.number("clients", 1)
    seconds = settings.number("seconds", 5)
    resourceCount = settings.number("resources", 1)
    mode = Mode(text: settings.text("mode", "X")) ?? .exclusive
  }

  func run() async throws {
    let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    let node = LatchNode(name: "bench", store: try FileStore(folder: folder), logger: logger)
    let running = Task { try await node.run() }
    let caller = Principal(user: "bench", isAdmin: true)
    while await !node.isServing { try await Task.sleep(for: .milliseconds(1)) }
    try await measure("node", clients: clientCount, seconds: seconds) { client, end in
      try await node.open(
        "s\(client)", timeToLive: .seconds(600), lockDelay: .zero, resume: true, by: caller)
      let resource = Resource(["d", resourceCount == 0 ? "t\(client)" : "t"])
      let start = bootTime()
      var count = 0
      while .now < end {
        let grant = try await node.acquire(
          Request(
            session: "s\(client)", id: "\(start) \(count)", wishes: [Wish(resource, mode)],
            waitLimit: .seconds(60)), by: caller)
        try await node.release(grant.token, of: "s\(client)", by: caller)
        count += 1
      }
      return count
    }
    running.cancel()
    try await running.value
  }
}

/// Clients of etcd's own locks.
struct EtcdLoad: Sendable {
  private let host: String
  private let port: Int
  private let clientCount: Int
  private let seconds: Int
  private let lockCount: Int

  init(_ arguments: ArraySlice<String>) {
    let settings = Settings(arguments)
    host = "127.0.0.1"
    port = settings.number("port", 2379)
    clientCount = settings.number("clients", 1)
    seconds = settings.number("seconds", 5)
    lockCount = settings.number("resources", 1)
  }

  func run() async throws {
    try await measure("etcd", clients: clientCount, seconds: seconds) { client, end in
      let etcd = try RawClient(host: host, port: port)
      defer { etcd.close() }
      // LeaseGrantRequest: a time of 600 s; the answer has the lease's id as field 2.
      let granted = try await etcd.call("etcdserverpb.Lease", "LeaseGrant", [0x08, 0xD8, 0x04])
      let lease = granted.varint(field: 2)
      let name = Array("d/t\(lockCount == 0 ? client : 0)".utf8)
      var count = 0
      while .now < end {
        // LockRequest: name, lease; LockResponse: the key, as field 2. UnlockRequest: that key.
        let locked = try await etcd.call(
          "v3lockpb.Lock", "Lock", [0x0A, UInt8(name.count)] + name + [0x10] + lease)
        let key = locked.bytes(field: 2)
        _ = try await etcd.call("v3lockpb.Lock", "Unlock", [0x0A, UInt8(key.count)] + key)
        count += 1
      }
      return count
    }
  }
}
