import Dispatch
import Foundation

/// Why a program that a test needs could not be run to a good end.
public struct SubprocessError: Error, CustomStringConvertible {
  public var description: String
}

/// Runs a program to its end without blocking the caller's thread.
///
/// - Parameter input: a file to read as standard input; nothing when nil.
/// - Returns: what the program wrote to standard output.
/// - Throws: ``SubprocessError`` with the program's standard error when its exit status is not 0.
@discardableResult
public func runProgram(_ path: String, _ arguments: [String], input: URL? = nil) async throws
  -> Data
{
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async {
      continuation.resume(
        with: Result { try runProgramBlocking(path, arguments, input: input) })
    }
  }
}

private func runProgramBlocking(_ path: String, _ arguments: [String], input: URL?) throws -> Data {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: path)
  process.arguments = arguments
  process.standardInput =
    try input.map { try FileHandle(forReadingFrom: $0) } ?? FileHandle.nullDevice
  // Standard error goes to a file: a second pipe could fill while the first is being read.
  let errors = FileManager.default.temporaryDirectory.appendingPathComponent(
    "magic-stderr-\(UUID().uuidString)")
  try Data().write(to: errors)
  defer { try? FileManager.default.removeItem(at: errors) }
  process.standardError = try FileHandle(forWritingTo: errors)
  let output = Pipe()
  process.standardOutput = output
  try process.run()
  let data = readToEnd(output.fileHandleForReading.fileDescriptor)
  process.waitUntilExit()
  guard process.terminationStatus == 0 else {
    let text = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
    let name = URL(fileURLWithPath: path).lastPathComponent
    throw SubprocessError(
      description: "\(name) ended with status \(process.terminationStatus): \(text)")
  }
  return data
}

/// Reads everything; Foundation's own way ends the process when a signal interrupts it.
private func readToEnd(_ descriptor: Int32) -> Data {
  var data = Data()
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    if count > 0 {
      data.append(contentsOf: chunk[..<count])
    } else if count == 0 || errno != EINTR {
      return data
    }
  }
}

/// Where a program lies: in PATH or in the folders where distributions put servers.
public func findProgram(_ name: String) -> String? {
  let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
  let folders = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/bin"]
  return folders.map { "\($0)/\(name)" }.first {
    FileManager.default.isExecutableFile(atPath: $0)
  }
}
