import Glibc

/// One line on the terminal that is written over; nothing when nobody watches.
struct ProgressLine: Sendable {
  private let label: String
  private let isShown = isatty(STDERR_FILENO) == 1

  init(_ label: String) { self.label = label }

  func show(_ text: @autoclosure () -> String) {
    guard isShown else { return }
    writeAll(Array("\r\u{1B}[K\(label): \(text())".utf8), to: STDERR_FILENO)
  }

  func clear() {
    guard isShown else { return }
    writeAll(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
  }
}
