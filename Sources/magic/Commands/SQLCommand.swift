import ArgumentParser
import Foundation
import LocalDatabase
import MagicAPI
import MagicClient
import MagicCore

/// `magic sql`: runs statements, from the arguments, a file, stdin or a prompt.
struct SQLCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sql",
    abstract: "Run SQL on a data folder or a server.",
    discussion: """
      Statements come from -e, from --file, from stdin, or from a prompt when stdin is a terminal. \
      Several are separated by ';' and run in order.

      While a process serves the data folder, statements run in that process; otherwise the \
      engine is opened here.

      A server's users log in with --user and a password, from MAGIC_PASSWORD, --password-file or \
      the terminal; without --user, that is a token.
      """)

  @OptionGroup var service: ServiceOptions

  @Option(name: .customShort("e"), help: "Statements to run.")
  var sql: String?

  @Option(help: "A file of statements to run.", completion: .file())
  var file: String?

  @Option(
    help: """
      table, tsv, csv, json, arrow, arrowstream, parquet, or any output format of ClickHouse \
      (default: table on a terminal, else tsv).
      """)
  var format: OutputFormat?

  @Option(help: "Read at this snapshot; see `magic snapshot`.")
  var snapshot: String?

  @Option(help: "Read no state before these GTIDs of the source are in the copy.")
  var atLeast: String?

  @Option(help: "How long to wait for them.")
  var timeout: Interval?

  @Option(help: "Change something only while the latch of this token is held; see `magic latch`.")
  var fencingToken: UInt64?

  @Flag(help: "Go on with the next statement after an error; the exit status still tells of it.")
  var continueOnError = false

  @Flag(name: .shortAndLong, help: "Do not tell on stderr how many rows a statement changed.")
  var quiet = false

  func validate() throws {
    guard sql == nil || file == nil else {
      throw ValidationError("Give either -e SQL or --file FILE.")
    }
  }

  func run() async throws {
    let source = try await openSource()
    do {
      try await run(on: source.statements)
    } catch {
      await source.close()
      throw error
    }
    await source.close()
  }

  private func openSource() async throws -> StatementSource {
    if let client = try await service.client() {
      var request = StatementRequest("")
      request.snapshot = snapshot
      request.atLeast = atLeast
      request.timeout = timeout?.duration
      request.fencingToken = fencingToken
      return .running(client, request)
    }
    guard snapshot == nil, atLeast == nil, fencingToken == nil else {
      throw Failure(
        "--snapshot, --at-least and --fencing-token need a process that serves the folder: start "
          + "`magic serve`")
    }
    return try await .local(try service.folder())
  }

  private func run(on statements: any StatementService) async throws {
    let onTerminal = isatty(STDOUT_FILENO) == 1
    let printer = StatementPrinter(
      statements: statements, format: format ?? (onTerminal ? .table : .tsv),
      tellsChangedRows: !quiet)
    if sql == nil, file == nil, isatty(STDIN_FILENO) == 1 {
      await Prompt(printer: printer).run()
    } else {
      try await runScript(try script(), with: printer)
    }
  }

  private func runScript(_ script: String, with printer: StatementPrinter) async throws {
    let splitter = StatementSplitter(script)
    let statements = splitter.statements + (splitter.isRestBlank ? [] : [splitter.rest])
    guard !statements.isEmpty else { throw Failure("there is no statement to run") }
    var failureCount = 0
    for statement in statements {
      do {
        try await printer.run(statement)
      } catch  where continueOnError {
        printError(error)
        failureCount += 1
      }
    }
    guard failureCount == 0 else {
      throw Failure("\(failureCount) of \(statements.count) statements failed")
    }
  }

  private func script() throws -> String {
    if let sql { return sql }
    let bytes: Data
    if let file {
      do {
        bytes = try Data(contentsOf: URL(filePath: file))
      } catch {
        throw Failure("'\(file)' cannot be read: \(error.localizedDescription)")
      }
    } else {
      bytes = try FileHandle.standardInput.readToEnd() ?? Data()
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure("the statements are not valid UTF-8")
    }
    return text
  }
}
