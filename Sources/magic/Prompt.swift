import Foundation
import Glibc

/// The conversation of `magic sql` with a person.
struct Prompt {
  let printer: StatementPrinter
  let reader: LineReader

  private static let help = """
    Statements end with ';' and may span lines.
    Ctrl-C gives up a line or cancels a running statement; Ctrl-D leaves.
    \\q  leave
    \\?  this help

    """

  /// Talks on the terminal until the person leaves.
  init(printer: StatementPrinter) {
    self.printer = printer
    let home = ProcessInfo.processInfo.environment["HOME"] ?? "."
    reader = LineReader(historyPath: home + "/.magic_history")
  }

  func run() async {
    say("Statements end with ';'. \\? helps, Ctrl-D leaves.\n")
    var text = ""
    while true {
      switch await reader.read(prompt: text.isEmpty ? "magic> " : "    -> ") {
      case .end:
        say("\n")
        return
      case .interrupt:
        text = ""
      case .line(let line) where text.isEmpty && Self.leaves(line):
        return
      case .line("\\?") where text.isEmpty:
        say(Self.help)
      case .line(let line):
        text += text.isEmpty ? line : "\n" + line
        text = await runStatements(in: text)
      }
    }
  }

  /// Runs the statements that are complete; returns the beginning of the next one.
  private func runStatements(in text: String) async -> String {
    let splitter = StatementSplitter(text)
    if splitter.isRestBlank, !splitter.statements.isEmpty {
      reader.remember(text.split(separator: "\n").joined(separator: " "))
    } else {
      // Waits for the end of the last statement, and keeps what belongs together together.
      return splitter.isRestBlank ? "" : text
    }
    for statement in splitter.statements {
      let start = ContinuousClock.now
      do {
        try await run(statement)
      } catch {
        printError(error)
        break
      }
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      say(String(format: "%.3f s\n\n", seconds))
    }
    return ""
  }

  /// Runs one statement; Ctrl-C cancels it.
  private func run(_ statement: String) async throws {
    Interrupt.received.store(false, ordering: .relaxed)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await printer.run(statement) }
      group.addTask {
        await Interrupt.wait()
        try Task.checkCancellation()
        throw Failure("cancelled")
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Whether a line is what people write to leave.
  private static func leaves(_ line: String) -> Bool {
    let word = line.trimmingCharacters(in: CharacterSet(charactersIn: " \t;")).lowercased()
    return ["\\q", "exit", "quit"].contains(word)
  }

  private func say(_ text: String) {
    writeAll(Array(text.utf8), to: STDERR_FILENO)
  }
}
