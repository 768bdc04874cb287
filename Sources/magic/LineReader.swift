import CEdit
import Dispatch
import Glibc
import Synchronization

/// Reads lines from a person at a terminal, with editing and a history that outlasts the session.
///
/// libedit keeps its state in globals, so there is one reader in a process.
final class LineReader: Sendable {
  /// What a person entered.
  enum Input: Equatable {
    case line(String)
    /// Ctrl-C: the line is given up.
    case interrupt
    /// Ctrl-D on an empty line.
    case end
  }

  // readline blocks, so it has a thread of its own, always the same queue's.
  private let queue = DispatchQueue(label: "line reader")
  private let historyPath: String

  /// Takes the terminal over, and Ctrl-C: from now on it sets ``Interrupt/received``.
  init(historyPath: String) {
    self.historyPath = historyPath
    Interrupt.trap()
    edit_configure { _ in nextCharacter() }
    using_history()
    stifle_history(1000)
    read_history(historyPath)
  }

  /// Reads one line.
  func read(prompt: String) async -> Input {
    await withCheckedContinuation { continuation in
      queue.async {
        Interrupt.received.store(false, ordering: .relaxed)
        guard let line = readline(prompt) else {
          continuation.resume(returning: .end)
          return
        }
        defer { free(line) }
        let interrupted = Interrupt.received.exchange(false, ordering: .relaxed)
        continuation.resume(returning: interrupted ? .interrupt : .line(String(cString: line)))
      }
    }
  }

  /// Remembers what was entered, in the file too.
  func remember(_ entry: String) {
    queue.sync {
      _ = add_history(entry)
      _ = write_history(historyPath)
      chmod(historyPath, 0o600)
    }
  }
}

/// Ctrl-C, as a flag.
enum Interrupt {
  /// Set by Ctrl-C once ``trap()`` was called.
  static let received = Atomic(false)

  /// Catches SIGINT instead of dying of it.
  static func trap() {
    // The flag has to exist before the handler may run.
    received.store(false, ordering: .relaxed)
    signal(SIGINT) { _ in Interrupt.received.store(true, ordering: .relaxed) }
  }

  /// Returns after Ctrl-C, or when the task is cancelled.
  static func wait() async {
    while !received.load(ordering: .relaxed) {
      guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { return }
    }
  }
}

/// The next character for libedit; -1 at the end. After Ctrl-C these are the keys that empty the
/// line and enter it, so that `readline` returns.
private func nextCharacter() -> CInt {
  var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
  while true {
    if Interrupt.received.load(ordering: .relaxed) {
      return interruptKeys.next()
    }
    // The signal may be handled on another thread, so the wait cannot count on being woken.
    if poll(&descriptor, 1, 50) > 0 { break }
  }
  return nextScalar()
}

private let interruptKeys = InterruptKeys()

/// Alternates between Ctrl-U, which empties the line, and Enter.
private final class InterruptKeys: Sendable {
  private let emptied = Atomic(false)

  func next() -> CInt {
    let wasEmptied = emptied.load(ordering: .relaxed)
    emptied.store(!wasEmptied, ordering: .relaxed)
    return wasEmptied ? 10 : 21
  }
}

/// Reads one character in UTF-8; a byte that does not fit is replaced.
private func nextScalar() -> CInt {
  guard let first = nextByte() else { return -1 }
  let continuationCount =
    switch first {
    case 0xC0..<0xE0: 1
    case 0xE0..<0xF0: 2
    case 0xF0..<0xF8: 3
    default: 0
    }
  var bytes = [first]
  for _ in 0..<continuationCount {
    guard let byte = nextByte() else { return -1 }
    bytes.append(byte)
  }
  let scalar = String(decoding: bytes, as: UTF8.self).unicodeScalars.first
  return scalar.map { CInt($0.value) } ?? -1
}

private func nextByte() -> UInt8? {
  var byte: UInt8 = 0
  while true {
    let count = Glibc.read(STDIN_FILENO, &byte, 1)
    if count == 1 { return byte }
    if count == 0 || errno != EINTR { return nil }
  }
}
