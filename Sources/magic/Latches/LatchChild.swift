import ArgumentParser
import Foundation
import Synchronization

/// The command of `magic latch run`: a process group of its own, which ends when this process does.
///
/// This program is started once more and becomes the command: only the process itself can ask for a signal
/// at its parent's end, and take over the terminal before it begins.
final class LatchChild: Sendable {
  private struct State {
    var process: pid_t = 0
    var group: pid_t = 0
    /// Signals that came before it was started.
    var early: [Int32] = []
  }

  private let command: [String]
  private let environment: [String: String]
  private let state = Mutex(State())
  /// The terminal that the command takes over; nil where there is none.
  private let terminal: Int32?
  /// Whether it is a group of its own. In a pipeline at a terminal it is not: who reads what it writes has the
  /// terminal as well.
  let hasGroup: Bool

  /// The first argument of this program when it is to become a command.
  private static let word = "latch-child"

  init(_ command: [String], environment: [String: String]) {
    self.command = command
    self.environment = environment
    let isAtTerminal = isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp()
    hasGroup = !isAtTerminal || isatty(STDOUT_FILENO) == 1
    terminal = isAtTerminal && hasGroup ? STDIN_FILENO : nil
  }

  /// Sends a signal to all of it.
  func send(_ signal: Int32) {
    state.withLock { state in
      if state.process == 0, state.group == 0 { state.early.append(signal) }
      if hasGroup, state.group != 0 {
        kill(-state.group, signal)
      } else if state.process != 0 {
        kill(state.process, signal)
      }
    }
  }

  /// Waits until nobody of the group is left, and kills who stays too long.
  func endGroup(within time: Duration) async {
    guard hasGroup else { return }
    let end = ContinuousClock.now + time
    while ContinuousClock.now < end {
      guard state.withLock({ kill(-$0.group, 0) }) == 0 else { return }
      try? await Task.sleep(for: .milliseconds(20))
    }
    send(SIGKILL)
  }

  /// Starts the command and waits for its end, on one thread.
  ///
  /// - Returns: its status; 128 and the number of the signal that has ended it.
  func run() throws -> Int32 {
    if terminal != nil { signal(SIGTTOU, SIG_IGN) }
    let child = try spawn()
    let early = state.withLock { state in
      state.process = child
      if hasGroup { state.group = child }
      defer { state.early = [] }
      return state.early
    }
    for signal in early { send(signal) }
    let status = wait(for: child)
    state.withLock { $0.process = 0 }
    if let terminal { tcsetpgrp(terminal, getpgrp()) }
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
  }

  private func wait(for child: pid_t) -> Int32 {
    var status: Int32 = 0
    while true {
      let found = waitpid(child, &status, terminal == nil ? 0 : WUNTRACED)
      if found < 0 {
        if errno == EINTR { continue }
        return 1 << 8
      }
      guard let terminal, status & 0xff == 0x7f else { return status }
      // It was stopped at the terminal, and so is this process, until the shell lets both go on.
      tcsetpgrp(terminal, getpgrp())
      kill(getpid(), SIGSTOP)
      tcsetpgrp(terminal, child)
      kill(-child, SIGCONT)
    }
  }

  private func spawn() throws -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // What this process ignores or blocks is its own affair.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [
      SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTTOU, SIGTTIN, SIGTSTP,
    ] {
      sigaddset(&signals, signal)
    }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
    if hasGroup { flags |= POSIX_SPAWN_SETPGROUP }
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(flags))
    let words = ["magic", Self.word, "\(getpid())", terminal.map { "\($0)" } ?? "-"] + command
    var arguments = words.map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in arguments + variables { free(pointer) } }
    var child: pid_t = 0
    let error = posix_spawn(&child, "/proc/self/exe", nil, &attributes, &arguments, &variables)
    guard error == 0 else {
      throw Failure("\(command[0]) cannot be run: \(String(cString: strerror(error)))")
    }
    return child
  }

  /// Becomes a command, if this process was started for that.
  static func becomeCommand(_ arguments: [String]) {
    guard arguments.count > 3, arguments[0] == word, let parent = pid_t(arguments[1]) else {
      return
    }
    // The function has variable arguments, which Swift does not call; these are passed as others are.
    typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
    if let symbol = dlsym(nil, "prctl") {
      let setSignalAtParentsEnd: Int32 = 1
      _ = unsafeBitCast(symbol, to: Control.self)(
        setSignalAtParentsEnd, UInt(SIGTERM), 0, 0, 0)
    }
    // It may have ended before.
    if getppid() != parent { _exit(128 + SIGTERM) }
    if let terminal = Int32(arguments[2]) {
      signal(SIGTTOU, SIG_IGN)
      tcsetpgrp(terminal, getpid())
      signal(SIGTTOU, SIG_DFL)
    }
    let command = Array(arguments[3...])
    var pointers = command.map { strdup($0) } + [nil]
    execvp(command[0], &pointers)
    let error = errno
    printError(Failure("\(command[0]) cannot be run: \(String(cString: strerror(error)))"))
    _exit(error == ENOENT ? 127 : 126)
  }
}
