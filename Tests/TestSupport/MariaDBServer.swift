import Foundation
import Synchronization

/// A MariaDB server of a test's own: its data lies in a temporary folder, it listens on a free loopback port.
///
/// A shell stands between this process and the server and holds the other end of a pipe, so that the
/// server ends and its folder disappears even when the test process is killed.
public final class MariaDBServer: Sendable {
  /// The user that tests connect as: every privilege, from every host.
  public static let user = "magic"
  public static let password = "secret word"

  /// The options of every server unless the caller's own options, which come later, say otherwise.
  private static let defaultOptions = [
    "--log-bin=mysql-bin", "--server-id=1", "--binlog-format=ROW", "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL", "--gtid-strict-mode=ON", "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M", "--key-buffer-size=1M", "--performance-schema=OFF",
    "--max-connections=40", "--max-allowed-packet=256M", "--skip-name-resolve",
    "--bind-address=127.0.0.1", "--character-set-server=utf8mb4",
  ]

  /// The folder that holds the data (`data`), the socket (`socket`) and the server's log (`log.err`).
  public let folder: URL
  public let port: Int
  private let options: [String]
  private let process: Mutex<Guardian?>

  public var socketPath: String { folder.appendingPathComponent("socket").path }
  public var logPath: String { folder.appendingPathComponent("log.err").path }

  /// Whether the programs that a server needs are installed; prints why a test is skipped when they are not.
  public static var isAvailable: Bool {
    let missing = ["mariadbd", "mariadb-install-db", "mariadb"].filter { findProgram($0) == nil }
    if !missing.isEmpty { print("skipped: \(missing.joined(separator: ", ")) not found") }
    return missing.isEmpty
  }

  /// Starts a fresh server and waits until it accepts connections.
  ///
  /// - Parameter options: command-line options of mariadbd, which win over the defaults.
  public static func start(options: [String] = []) async throws -> MariaDBServer {
    let server = MariaDBServer(options: options, port: try freePort())
    do {
      let template = try await dataTemplate()
      // A starting server removes the temporary tables that it finds in its tmpdir: it needs one of its own.
      try FileManager.default.createDirectory(
        at: server.folder.appendingPathComponent("tmp"), withIntermediateDirectories: true)
      try await runProgram(
        "/bin/cp", ["-r", "--reflink=auto", template.path, server.folder.path + "/data"])
      try await server.launch()
      return server
    } catch {
      await server.stop()
      throw error
    }
  }

  private init(options: [String], port: Int) {
    let name = "magic-db-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    self.folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    self.options = options
    self.port = port
    self.process = Mutex(nil)
  }

  deinit {
    process.withLock { $0?.abandon() }
  }

  /// The URL of this server for the given user, percent-encoded.
  public func url(user: String = user, password: String = password) -> String {
    let encode = { (text: String) in
      text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
    return "mysql://\(encode(user)):\(encode(password))@127.0.0.1:\(port)/"
  }

  /// Runs statements, separated by semicolons, as root.
  public func sql(_ statements: String) async throws {
    _ = try await client(statements, [])
  }

  /// Runs statements and returns the fields of the rows that they give.
  ///
  /// Fields are as the client prints them in batch mode: NULL is `NULL`, tab, newline, NUL and backslash are
  /// escaped with a backslash.
  public func rows(_ statements: String) async throws -> [[String]] {
    let output = try await client(statements, ["--batch", "--skip-column-names"])
    return output.split(separator: "\n").map { line in
      line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
  }

  private func client(_ statements: String, _ arguments: [String]) async throws -> String {
    let input = folder.appendingPathComponent("input-\(UUID().uuidString)")
    try Data(statements.utf8).write(to: input)
    defer { try? FileManager.default.removeItem(at: input) }
    let path = try program("mariadb")
    let output = try await runProgram(
      path,
      [
        "--no-defaults", "--socket=\(socketPath)", "--user=root", "--binary-mode",
        "--default-character-set=utf8mb4", "--max-allowed-packet=256M",
      ] + arguments, input: input)
    return String(decoding: output, as: UTF8.self)
  }

  /// Ends the server as a crash would (SIGKILL) and keeps its data.
  public func kill9() async {
    let guardian = process.withLock { $0.take() }
    await guardian?.end(signal: "KILL")
  }

  /// Shuts the server down in an orderly way, if it runs, and starts it again on the same data and port.
  public func restart() async throws {
    let guardian = process.withLock { $0.take() }
    await guardian?.end(signal: "TERM")
    try await launch()
  }

  /// Ends the server and removes its folder.
  public func stop() async {
    let guardian = process.withLock { $0.take() }
    await guardian?.end(signal: "KILL")
    try? FileManager.default.removeItem(at: folder)
  }

  private func launch() async throws {
    try? FileManager.default.removeItem(atPath: socketPath)
    let command =
      [
        try program("mariadbd"), "--no-defaults", "--datadir=\(folder.path)/data",
        "--tmpdir=\(folder.path)/tmp", "--socket=\(socketPath)", "--pid-file=\(folder.path)/pid",
        "--log-error=\(logPath)",
        "--port=\(port)", "--user=\(NSUserName())",
      ] + Self.defaultOptions + options
    let guardian = try Guardian(folder: folder, command: command)
    process.withLock { $0 = guardian }
    for _ in 0..<1200 {
      if canConnect(socketPath) { return }
      guard guardian.isServerRunning else { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    let log = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
    throw SubprocessError(description: "mariadbd did not start:\n\(log.suffix(4000))")
  }
}

/// The shell that runs a server and ends it: with the signal it is told, or with SIGKILL and the removal of the
/// folder once nobody holds the other end of its standard input.
private final class Guardian: Sendable {
  private static let script = """
    folder=$1; shift
    "$@" </dev/null >/dev/null 2>&1 & server=$!
    echo $server > "$folder/server"
    if read -r signal; then
      kill -s "$signal" $server 2>/dev/null; wait $server
    else
      kill -s KILL $server 2>/dev/null; wait $server; rm -rf "$folder"
    fi
    """

  // Foundation's Process and Pipe are not Sendable; the lock makes their use exclusive.
  private let parts: Mutex<(process: Process, input: FileHandle)>
  private let folder: URL

  init(folder: URL, command: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", Self.script, "sh", folder.path] + command
    let pipe = Pipe()
    process.standardInput = pipe
    // The shell would report that the server was killed.
    process.standardError = FileHandle.nullDevice
    // A child inherits the signal mask, and threads of the pool block SIGCHLD, which the shell waits for.
    var none = sigset_t()
    var previous = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    try process.run()
    self.folder = folder
    self.parts = Mutex((process, pipe.fileHandleForWriting))
  }

  /// False once the server has ended; true while that is not known.
  var isServerRunning: Bool {
    let file = folder.appendingPathComponent("server")
    guard let text = try? String(contentsOf: file, encoding: .utf8),
      let pid = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)),
      // The server stays a zombie until the shell waits for it, so its number cannot be another's.
      let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    else { return true }
    return !status.contains(") Z ")
  }

  func end(signal: String) async {
    parts.withLock { parts in
      try? parts.input.write(contentsOf: Data("\(signal)\n".utf8))
      try? parts.input.close()
    }
    while parts.withLock({ $0.process.isRunning }) {
      try? await Task.sleep(for: .milliseconds(10))
    }
  }

  func abandon() {
    parts.withLock { try? $0.input.close() }
  }
}

private func program(_ name: String) throws -> String {
  guard let path = findProgram(name) else {
    throw SubprocessError(description: "\(name) not found")
  }
  return path
}

/// The folder of a freshly initialised server, made once for each user and version of the server.
///
/// It is made under another name and renamed, so that of two processes doing so at once one wins and both
/// can use the result.
private func dataTemplate() async throws -> URL {
  let version = String(
    decoding: try await runProgram(try program("mariadbd"), ["--no-defaults", "--version"]),
    as: UTF8.self)
  let tag = version.split(separator: " ").first { $0.first?.isNumber == true } ?? "unknown"
  let temporary = FileManager.default.temporaryDirectory
  let template = temporary.appendingPathComponent("magic-db-template-\(getuid())-\(tag)")
  if FileManager.default.fileExists(atPath: template.path) { return template }

  let fresh = temporary.appendingPathComponent("magic-db-new-\(UUID().uuidString)")
  let scratch = temporary.appendingPathComponent("magic-db-scratch-\(UUID().uuidString)")
  let users = scratch.appendingPathComponent("users.sql")
  try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
  defer {
    try? FileManager.default.removeItem(at: fresh)
    try? FileManager.default.removeItem(at: scratch)
  }
  try Data(
    """
    DELETE FROM mysql.global_priv WHERE User = '';
    FLUSH PRIVILEGES;
    CREATE USER \(MariaDBServer.user)@'%' IDENTIFIED BY '\(MariaDBServer.password)';
    GRANT ALL PRIVILEGES ON *.* TO \(MariaDBServer.user)@'%' WITH GRANT OPTION;

    """.utf8
  ).write(to: users)
  try await runProgram(
    try program("mariadb-install-db"),
    [
      "--no-defaults", "--datadir=\(fresh.path)", "--user=\(NSUserName())", "--skip-test-db",
      "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M",
      "--extra-file=\(users.path)", "--tmpdir=\(scratch.path)",
    ])
  if rename(fresh.path, template.path) != 0,
    !FileManager.default.fileExists(atPath: template.path)
  {
    throw SubprocessError(description: "cannot make \(template.path)")
  }
  return template
}
