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
      Signals are passed on to the command.
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
      if session.loss == nil { try? await session.close() }
      throw error
    }
    if let loss = session.loss {
      printError(loss)
      throw LatchCommand.lost
    }
    try? await session.close()
    if status != 0 { throw ExitCode(status) }
  }

  /// - Returns: the status to exit with.
  private func runCommand(_ grant: Grant, _ session: LatchSession) async throws -> Int32 {
    // From now on signals are the command's.
    let isForeground = isatty(STDIN_FILENO) == 1
    let signals = await UnixSignalsSequence(
      trapping: .sigterm, .sighup, .sigint, .sigquit, .sigusr1, .sigusr2)
    var environment = ProcessInfo.processInfo.environment
    environment["MAGIC_LATCH_TOKEN"] = "\(grant.token)"
    environment["MAGIC_LATCH_SESSION"] = grant.session
    let child = try spawn(command, environment: environment)
    return try await withThrowingTaskGroup(of: Int32?.self) { group in
      group.addTask { try await onOwnThread("latch-run") { exitStatus(of: child) } }
      group.addTask {
        for await signal in signals {
          // What is typed at a terminal has reached the command already.
          if isForeground, signal == .sigint || signal == .sigquit { continue }
          kill(child, signal.number)
        }
        return nil
      }
      group.addTask {
        guard await session.waitForLoss() != nil else { return nil }
        kill(child, SIGTERM)
        try await Task.sleep(for: killAfter.duration)
        kill(child, SIGKILL)
        return nil
      }
      defer { group.cancelAll() }
      while let status = try await group.next() {
        if let status { return status }
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

/// Starts a program, found as a shell finds it.
private func spawn(_ command: [String], environment: [String: String]) throws -> pid_t {
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  // What this process ignores or blocks is its own affair.
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  for signal in [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE] {
    sigaddset(&signals, signal)
  }
  posix_spawnattr_setsigdefault(&attributes, &signals)
  posix_spawnattr_setflags(
    &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
  var arguments = command.map { strdup($0) } + [nil]
  var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
  defer { for pointer in arguments + variables { free(pointer) } }
  var child: pid_t = 0
  let error = posix_spawnp(&child, command[0], nil, &attributes, &arguments, &variables)
  guard error == 0 else {
    printError(Failure("\(command[0]) cannot be run: \(String(cString: strerror(error)))"))
    throw ExitCode(error == ENOENT ? 127 : 126)
  }
  return child
}

/// Waits for a process to end.
private func exitStatus(of child: pid_t) -> Int32 {
  var status: Int32 = 0
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  let signal = status & 0x7f
  return signal == 0 ? (status >> 8) & 0xff : 128 + signal
}

/// Waits for SIGTERM, SIGINT or SIGHUP, or for stdin to end.
func waitForSignalOrEndOfInput() async {
  await withTaskGroup(of: Void.self) { group in
    group.addTask {
      for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) { return }
    }
    group.addTask {
      // A thread that waits for input for ever ends with the process.
      let (ends, ended) = AsyncStream.makeStream(of: Void.self)
      Thread.detachNewThread {
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) > 0 {}
        ended.finish()
      }
      for await _ in ends {}
    }
    await group.next()
    group.cancelAll()
  }
}
