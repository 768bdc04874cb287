import ArgumentParser
import Foundation
import LatchClient
import Latches
import Threads
import UnixSignals

/// `magic latch run`: a command that runs while a latch is held.
struct LatchRunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a command while latches are held.",
    usage: "magic latch run <resource:mode> ... [<options>] -- <command> ...",
    discussion: """
      magic latch run shop.orders:X --wait 1m -- ./nightly.sh

      The command finds MAGIC_LATCH_TOKEN and MAGIC_LATCH_SESSION in its environment. The exit status is \
      the command's; 128 and the signal's number where one ended it. When the latch is lost the command \
      gets SIGTERM, and SIGKILL after --kill-after, and the status is 75. 69: it could not be had. \
      The command is a process group of its own, at a terminal the one in the foreground; signals are \
      passed on to all of it. It gets SIGTERM when this process is killed.
      """)

  @OptionGroup var what: WishOptions

  @Option(help: "How long the command may go on after SIGTERM when the latch is lost.")
  var killAfter = Interval(milliseconds: 5_000)

  @OptionGroup(title: "Connection") var connection: LatchConnectionOptions

  /// What stands behind `--`: not a part of what is parsed, because the latches are a list already.
  var command: [String] = []

  private enum CodingKeys: CodingKey {
    case what
    case killAfter
    case connection
  }

  /// Takes the command off the arguments of the program, if they are of this command.
  static func takeCommand(from arguments: inout [String]) -> [String]? {
    guard arguments.starts(with: ["latch", "run"]), let end = arguments.firstIndex(of: "--") else {
      return nil
    }
    defer { arguments = Array(arguments[..<end]) }
    return Array(arguments[(end + 1)...])
  }

  func run() async throws {
    guard !command.isEmpty else { throw ValidationError("A command belongs behind --.") }
    let client = try connection.makeClient()
    defer { client.close() }
    let session = try await reporting {
      try await client.openSession(
        timeToLive: what.ttl.duration, lockDelay: what.delay)
    }
    let keeping = Task { await session.keepAlive() }
    defer { keeping.cancel() }
    let status: Int32
    do {
      let grant = try await reporting {
        try await session.acquire(what.all, wait: what.waitLimit)
      }
      status = try await runCommand(grant, session)
    } catch {
      if session.loss == nil { _ = try? await session.close() }
      throw error
    }
    if let loss = session.loss {
      printError(loss)
      throw LatchCommand.lost
    }
    _ = try? await session.close()
    if status != 0 { throw ExitCode(status) }
  }

  /// - Returns: the status to exit with.
  private func runCommand(_ grant: Grant, _ session: LatchSession) async throws -> Int32 {
    // From now on signals are the command's.
    let signals = await UnixSignalsSequence(
      trapping: .sigterm, .sighup, .sigint, .sigquit, .sigusr1, .sigusr2)
    var environment = ProcessInfo.processInfo.environment
    environment["MAGIC_LATCH_TOKEN"] = "\(grant.token)"
    environment["MAGIC_LATCH_SESSION"] = grant.session
    let child = LatchChild(command, environment: environment)
    return try await withThrowingTaskGroup(of: Int32?.self) { group in
      // The command ends with the thread that has started it.
      group.addTask { try await onOwnThread("latch-run") { try child.run() } }
      group.addTask {
        for await signal in signals {
          // What is typed at the terminal of a command in this group has reached it already.
          if !child.hasGroup, signal == .sigint || signal == .sigquit { continue }
          child.send(signal.number)
        }
        return nil
      }
      group.addTask {
        guard await session.waitForLoss() != nil else { return nil }
        child.send(SIGTERM)
        child.send(SIGCONT)
        try await Task.sleep(for: killAfter.duration)
        child.send(SIGKILL)
        return nil
      }
      defer { group.cancelAll() }
      while let status = try await group.next() {
        guard let status else { continue }
        if session.loss != nil { await child.endGroup(within: killAfter.duration) }
        return status
      }
      return 0
    }
  }
}

extension UnixSignal {
  fileprivate var number: Int32 {
    switch self {
    case .sighup: SIGHUP
    case .sigint: SIGINT
    case .sigquit: SIGQUIT
    case .sigusr1: SIGUSR1
    case .sigusr2: SIGUSR2
    default: SIGTERM
    }
  }
}

/// Waits for SIGTERM, SIGINT or SIGHUP, or for stdin to end.
///
/// - Returns: whether stdin was at its end from the beginning.
func waitForSignalOrEndOfInput() async -> Bool {
  await withTaskGroup(of: Bool.self) { group in
    group.addTask {
      for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) { break }
      return false
    }
    group.addTask {
      // A thread that waits for input for ever ends with the process.
      let (ends, ended) = AsyncStream.makeStream(of: Bool.self)
      Thread.detachNewThread {
        let start = ContinuousClock.now
        var byte: UInt8 = 0
        var isEmpty = true
        while read(STDIN_FILENO, &byte, 1) > 0 { isEmpty = false }
        ended.yield(isEmpty && ContinuousClock.now - start < .milliseconds(200))
      }
      for await isEmpty in ends { return isEmpty }
      return false
    }
    defer { group.cancelAll() }
    return await group.next() ?? false
  }
}
