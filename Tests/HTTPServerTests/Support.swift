import Foundation
import HTTPServer
import Logging
import MagicClient
import ServiceLifecycle

/// Serves `statements` on a socket in a fresh folder while `body` runs.
func withServer<Result>(
  _ statements: FakeStatements, folderName: String = "data",
  routes: [String: HTTPServer.Handler] = [:], limits: HTTPServer.Limits = .init(),
  _ body: (_ client: MagicClient, _ socketPath: String) async throws -> Result
) async throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "magic-http-\(UUID().uuidString)/\(folderName)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer {
    let root = folder.pathComponents.prefix(3).joined(separator: "/").dropFirst()
    try? FileManager.default.removeItem(atPath: String(root))
  }
  let path = folder.appending(path: "magic.sock").path(percentEncoded: false)
  let listener = try Listener(unixSocket: path)
  let server = HTTPServer(
    listeners: [listener], statements: statements,
    status: { Array(#"{"state":"streaming"}"#.utf8) }, routes: routes, limits: limits,
    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  let client = try MagicClient(unixSocket: path)
  let running = Task { try await server.run() }
  do {
    let result = try await body(client, path)
    running.cancel()
    _ = await running.result
    return result
  } catch {
    running.cancel()
    _ = await running.result
    throw error
  }
}

/// Reads a result to its end.
func collect(_ client: MagicClient, _ statement: String, format: String) async throws -> [UInt8] {
  let result = try await client.run(statement, format: format)
  var bytes: [UInt8] = []
  while let chunk = try await result.next() { bytes += chunk }
  return bytes
}

/// Waits until `condition` holds, for at most five seconds.
func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<500 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(10))
  }
  return condition()
}

/// What `curl` prints for a request, and its exit status.
func curl(_ arguments: [String]) async throws -> (output: String, status: Int32) {
  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/curl")
  process.arguments = ["--silent", "--max-time", "120"] + arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  let status = try await withCheckedThrowingContinuation { continuation in
    process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
    do {
      try process.run()
    } catch {
      continuation.resume(throwing: error)
    }
  }
  // What these tests print fits into a pipe.
  let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
  return (String(decoding: output, as: UTF8.self), status)
}
