import Foundation
import HTTPServer
import Logging
import MagicAPI
import MagicClient
import ServiceLifecycle

/// Serves `service` on a socket in a fresh folder while `body` runs.
func withServer<Result>(
  _ service: FakeService, folderName: String = "data",
  routes: [String: HTTPServer.Handler] = [:], limits: HTTPServer.Limits = .init(),
  _ body: (_ client: MagicClient, _ socketPath: String) async throws -> Result
) async throws -> Result {
  let root = FileManager.default.temporaryDirectory.appending(path: "magic-http-\(UUID())")
  let folder = root.appending(path: folderName)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: root) }
  let path = folder.appending(path: "magic.sock").path(percentEncoded: false)
  let listener = try Listener(unixSocket: path)
  var contents = HTTPServer.Contents(services: service.service)
  contents.views["status"] = { _, _ in Array(#"{"state":"streaming"}"#.utf8) }
  contents.routes = routes
  let server = HTTPServer(
    listeners: [listener], contents: contents, limits: limits, logger: silentLogger)
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

let silentLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Lets everybody in.
struct OpenDoor: Authenticator {
  var isOpen: Bool { true }

  func authenticate(
    user: String, password: String, interface: String, address: String
  ) async throws -> Caller { throw APIError(.unauthenticated, "nobody") }
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

/// Sends bytes over a connection to the socket, and reads what comes until the other side closes it
/// or `quiet` has passed without anything.
func exchange(
  _ path: String, _ pieces: [[UInt8]], pause: Duration = .zero, quiet: Duration = .seconds(1)
) async throws -> String {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  let connected = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  guard connected == 0 else { throw ClientFailure(code: errno) }
  for piece in pieces {
    // The other side may close amid this.
    _ = piece.withUnsafeBytes {
      send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    try await Task.sleep(for: pause)
  }
  var received: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  let start = ContinuousClock.now
  while ContinuousClock.now - start < quiet {
    let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
    if count == 0 || count < 0 && errno != EAGAIN { break }
    if count > 0 { received += chunk[..<count] }
    if count < 0 { try await Task.sleep(for: .milliseconds(5)) }
  }
  return String(decoding: received, as: UTF8.self)
}

struct ClientFailure: Error {
  var code: Int32
}
