import ArgumentParser
import Foundation
import LocalDatabase
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

  @Option(name: .customLong("data"), help: "The data folder.", completion: .directory)
  var dataFolder: String?

  @Option(help: "A server, such as http://127.0.0.1:8123.")
  var connect: String?

  @Option(help: "The user at the server.")
  var user: String?

  @Option(
    help: "A file whose first line is the password, or a token.", completion: .file())
  var passwordFile: String?

  @Option(help: "Certificates in PEM form that the server's is signed by.", completion: .file())
  var ca: String?

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

  @Flag(help: "Go on with the next statement after an error; the exit status still tells of it.")
  var continueOnError = false

  @Flag(name: .shortAndLong, help: "Do not tell on stderr how many rows a statement changed.")
  var quiet = false

  func validate() throws {
    guard (dataFolder == nil) != (connect == nil) else {
      throw ValidationError("Give either --data DIR or --connect URL.")
    }
    guard connect != nil || (user == nil && passwordFile == nil && ca == nil) else {
      throw ValidationError("--user, --password-file and --ca go together with --connect.")
    }
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
    if let connect {
      return try .remote(url: connect, credentials: try credentials(), authorityFile: ca)
    }
    return try await .local(try DataFolder(existing: dataFolder ?? ""))
  }

  /// What the server is told; nil where nothing is given.
  private func credentials() throws -> MagicClient.Credentials? {
    var secret = ProcessInfo.processInfo.environment["MAGIC_PASSWORD"]
    if let passwordFile {
      guard let contents = try? String(contentsOfFile: passwordFile, encoding: .utf8) else {
        throw Failure("the file \(passwordFile) of --password-file cannot be read")
      }
      secret = String(contents.prefix { !$0.isNewline })
    }
    guard let user else { return secret.map { .token($0) } }
    if secret == nil, isatty(STDIN_FILENO) == 1 { secret = try readHidden("Password: ") }
    return .password(user: user, password: secret ?? "")
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
