import ArgumentParser
import Foundation
import LatchClient
import Latches
import Synchronization

/// `magic latch`: who may read or change which part of a database.
struct LatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "latch",
    abstract: "Coordinate who reads and changes which part of a database.",
    discussion: """
      A latch is a lease on a resource: a database (shop), a table (shop.orders), a partition \
      (shop.orders/2026-01) or a range of keys (shop.orders[k1..k2]), in the mode S (shared), X \
      (exclusive), IS, IX or SIX. Bytes that mean something else are written %2E. magic serve \
      serves latches on 127.0.0.1:32011; see docs/latches.md.
      """,
    subcommands: [
      LatchServeCommand.self, LatchAcquireCommand.self, LatchReleaseCommand.self,
      LatchListCommand.self, LatchWatchCommand.self, LatchRevokeCommand.self, LatchRunCommand.self,
    ])

  /// The exit status where a latch could not be had.
  static let notAcquired = ExitCode(69)
  /// The exit status where a latch was lost.
  static let lost = ExitCode(75)
}

/// What is asked for, and how.
struct WishOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp("What to acquire, such as shop.orders:X.", valueName: "resource:mode"),
    transform: wish)
  var all: [Wish]

  @Option(help: "How long the latch lasts without being kept alive.", transform: interval)
  var ttl = Interval(milliseconds: 15_000)

  @Option(
    help: "How long to wait for it, such as 10s (default: have it now or not at all).",
    transform: interval)
  var wait: Interval?

  @Option(
    help: "How long it stays held when the session is lost, such as 5s (default: not at all).",
    transform: interval)
  var lockDelay: Interval?

  var waitLimit: Duration { wait?.duration ?? .zero }
  var delay: Duration { lockDelay?.duration ?? .zero }
}

/// A wish of an argument; the error says what is wrong with it.
@Sendable private func wish(_ text: String) throws -> Wish {
  do throws(LatchError) {
    return try Wish(text: text)
  } catch .invalid(let why) {
    throw ValidationError(why)
  } catch {
    throw ValidationError("\(error)")
  }
}

/// A time of an argument; the error says what one is.
@Sendable private func interval(_ text: String) throws -> Interval {
  guard let interval = Interval(argument: text) else {
    throw ValidationError(
      "a time is a number above 0 with ms, s, m or h behind it, up to 24h, such as 15s")
  }
  return interval
}

/// `magic latch acquire`.
struct LatchAcquireCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "acquire",
    abstract: "Acquire latches, all or none; prints the fencing token and the session.",
    discussion: """
      The session lasts for --ttl, unless --hold keeps it alive until SIGTERM, SIGINT or the end of \
      stdin. Exit status 69: it could not be had; 75: it was lost while it was held.
      """)

  @OptionGroup var what: WishOptions

  @Option(help: "The session that is to hold it; made where there is none (default: a new one).")
  var session: String?

  @Option(help: "The name of the request: one that is sent again is the same request.")
  var requestId: String?

  @Flag(help: "Keep the latch until a signal or the end of stdin, then release it.")
  var hold = false

  @Flag(help: "Print a JSON object.")
  var json = false

  @OptionGroup(title: "Connection") var connection: LatchConnectionOptions

  func run() async throws {
    let client = try connection.makeClient()
    defer { client.close() }
    let opened = try await reporting {
      try await client.openSession(
        session, timeToLive: what.ttl.duration, lockDelay: what.delay, resume: true)
    }
    let keeping = Task { await opened.keepAlive() }
    defer { keeping.cancel() }
    let grant: Grant
    do {
      grant = try await reporting {
        try await opened.acquire(
          what.all, wait: what.waitLimit, request: requestId)
      }
    } catch {
      if session == nil { _ = try? await opened.close() }
      throw error
    }
    if json {
      try printJSON(
        AcquiredJSON(token: grant.token, session: grant.session, request: grant.request))
    } else {
      try printLine("\(grant.token) \(grant.session)")
    }
    guard hold else { return }
    let loss = await withTaskGroup(of: SessionLoss?.self) { group in
      group.addTask { await opened.waitForLoss() }
      group.addTask {
        if await waitForSignalOrEndOfInput() {
          printWarning(
            "stdin was at its end at once, and so is the latch: --hold waits for the end of stdin")
        }
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
    if let loss {
      printError(loss)
      throw LatchCommand.lost
    }
    if session == nil {
      _ = try? await opened.close()
    } else {
      _ = try? await opened.release(grant.token)
    }
  }
}

private struct AcquiredJSON: Encodable {
  var token: UInt64
  var session: String
  var request: String
}

/// `magic latch release`.
struct LatchReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Release a latch, a request, or all of a session.")

  @Option(help: "The session that holds it.")
  var session: String

  @Option(help: "The fencing token of the latch.")
  var token: UInt64?

  @Option(help: "The name of the request, whatever became of it.")
  var requestId: String?

  @OptionGroup(title: "Connection") var connection: LatchConnectionOptions

  func validate() throws {
    guard token == nil || requestId == nil else {
      throw ValidationError("Give --token or --request-id, or neither to end the session.")
    }
  }

  func run() async throws {
    let client = try connection.makeClient()
    defer { client.close() }
    try await reporting {
      let session = client.session(named: session)
      if let token {
        guard try await session.release(token) else {
          throw Failure("the session \(session.name) holds nothing by the token \(token)")
        }
        return
      }
      let isKnown =
        if let requestId {
          try await session.abandon(request: requestId)
        } else {
          try await session.close()
        }
      guard isKnown else {
        throw Failure("there is no session \(session.name): it was lost, closed, or never opened")
      }
    }
  }
}

/// `magic latch revoke`.
struct LatchRevokeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "End somebody's session (administrators).")

  @Argument(help: "The session.")
  var session: String

  @OptionGroup(title: "Connection") var connection: LatchConnectionOptions

  func run() async throws {
    let client = try connection.makeClient()
    defer { client.close() }
    try await reporting { try await client.revoke(session: session) }
  }
}

/// `magic latch list`.
struct LatchListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show sessions, what they hold, and who waits.")

  @Flag(help: "Print a JSON object.")
  var json = false

  @OptionGroup(title: "Connection") var connection: LatchConnectionOptions

  func run() async throws {
    let client = try connection.makeClient()
    defer { client.close() }
    let overview = try await reporting { try await client.inspect() }
    if json {
      try printJSON(LatchJSON.Overview(overview))
    } else {
      try writeToStandardOutput(Array(LatchText.lines(overview).utf8))
    }
  }
}

/// `magic latch watch`.
struct LatchWatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Print what changes, one line each.",
    discussion: """
      It goes on when the service is started anew or another node takes over. Where changes may be missing \
      then, a line says reset: what there is now is told by magic latch list.
      """)

  @Option(
    name: .customLong("from"),
    help: "Also print what changed after this revision, as list tells it.")
  var revision: UInt64?

  @Flag(help: "Print a JSON object a line.")
  var json = false

  @OptionGroup(title: "Connection") var connection: LatchConnectionOptions

  func run() async throws {
    let client = try connection.makeClient()
    defer { client.close() }
    try await reporting {
      var start = revision
      let hasBegun = Mutex(false)
      while true {
        do {
          try await client.watch(after: start) { event, revision in
            hasBegun.withLock { $0 = true }
            if let event { try tell(event, revision) }
          }
          return
        } catch let error as LatchCallError
          where error.kind == .tooOld && hasBegun.withLock({ $0 })
        {
          let revision = try await client.inspect().revision
          start = revision
          if json {
            try printJSON(LatchJSON.Reset(revision: revision))
          } else {
            try printLine("\(revision) reset")
          }
        }
      }
    }
  }

  private func tell(_ event: LatchEvent, _ revision: UInt64) throws {
    if json {
      try printJSON(LatchJSON.Event(event, revision))
    } else {
      try printLine("\(revision) \(LatchText.line(event))")
    }
  }
}

/// Runs a call, with exit status 69 where a latch cannot be had.
func reporting<Result>(_ body: () async throws -> Result) async throws -> Result {
  do {
    return try await body()
  } catch let error as LatchCallError {
    switch error.kind {
    case .timedOut, .deadlock, .cannotUpgrade, .unavailable:
      printError(error)
      throw LatchCommand.notAcquired
    default: throw error
    }
  }
}
