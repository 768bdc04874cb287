import Glibc
import MagicCore
import Synchronization
import Threads

/// Where the engine reads an input.
struct InputPath: Sendable {
  /// The path by which this process can open it.
  var path: String
  /// How it is compressed, by the engine's name; nil when it is not.
  var compression: String?
}

/// The bytes of an input as a file that the engine can open.
final class InputFile: Sendable {
  private enum Content {
    /// All of them, in memory or on disk.
    case whole(UnnamedFile)
    /// The first ones; the others pass through a pipe.
    case stream(first: [UInt8], StatementInput)
  }

  /// An input that is not longer is read before the statement begins. Whatever the format, its rows
  /// are fewer than make a second block, so that the engine takes them whole or not at all.
  static let smallByteCount = 512 << 10
  /// Formats that are read from their end: they take a file on disk.
  private static let seekingFormats: Set<String> = ["arrow", "orc", "parquet", "parquetmetadata"]

  private let content: Content
  /// Whether it has at most ``smallByteCount`` bytes.
  let isSmall: Bool
  private let isTaken = Atomic(false)

  /// Reads what must be read before the statement begins.
  ///
  /// - Parameters:
  ///   - first: what comes before the input.
  ///   - folder: where a file that is too large for memory goes. It never has a name.
  /// - Throws: what reading the input throws; ``EngineError`` when the file cannot be written.
  init(
    _ first: ArraySlice<UInt8>, _ input: StatementInput, format: String, folder: String
  ) async throws {
    var bytes = Array(first)
    var hasEnded = false
    while !hasEnded, bytes.count <= Self.smallByteCount {
      if let chunk = try await input.next() { bytes += chunk } else { hasEnded = true }
    }
    isSmall = bytes.count <= Self.smallByteCount
    if hasEnded {
      let file = try UnnamedFile()
      try file.write(bytes)
      content = .whole(file)
    } else if Self.seekingFormats.contains(format.lowercased()) {
      let file = try UnnamedFile(folder: folder)
      let writer = InputWriter(file.descriptor)
      try await writer.write(bytes)
      while let chunk = try await input.next() { try await writer.write(chunk) }
      content = .whole(file)
    } else {
      content = .stream(first: bytes, input)
    }
  }

  /// Notes that the rows are read. Those of a stream are read once.
  ///
  /// - Throws: ``EngineError`` when they are gone.
  func take() throws {
    guard case .stream = content else { return }
    if isTaken.exchange(true, ordering: .relaxed) {
      throw EngineError(
        message: "the table was altered while the statement read its rows: run it again")
    }
  }

  /// Runs `body`, which is told where the engine can open the file. The rest of the input is
  /// read meanwhile, no faster than the engine takes it.
  ///
  /// - Throws: what reading the input throws, in which case the task of `body` was cancelled before
  ///   the file's end was seen.
  func withPath<Result: Sendable>(
    _ body: @escaping @Sendable (_ path: InputPath) async throws -> Result
  ) async throws -> Result {
    switch content {
    case .whole(let file):
      defer { withExtendedLifetime(file) {} }
      return try await body(InputPath(path: file.path))
    case .stream(let first, let input):
      let (readEnd, writeEnd) = try makePipe()
      defer { writeEnd.close() }
      return try await withThrowingTaskGroup(of: Step<Result>.self) { group in
        group.addTask { await Self.feed(first, input, into: writeEnd) }
        group.addTask {
          // When the engine is done with it, a writer must not wait for it any more.
          defer { readEnd.close() }
          let path = "/proc/self/fd/\(readEnd.number ?? -1)"
          return .done(
            try await body(InputPath(path: path, compression: RawZstandard.name)))
        }
        var result: Result?
        while let step = try await group.next() {
          switch step {
          case .fed: break
          case .done(let value): result = value
          case .failed(let error):
            // Before the engine sees an end that is none.
            group.cancelAll()
            writeEnd.close()
            while await group.nextResult() != nil {}
            throw error
          }
        }
        guard let result else { throw EngineError.cancelled }
        return result
      }
    }
  }

  /// What one of the two that pass a stream on came to.
  private enum Step<Result: Sendable>: Sendable {
    case fed
    case failed(any Error)
    case done(Result)
  }

  private static func feed<Result>(
    _ first: [UInt8], _ input: StatementInput, into writeEnd: Descriptor
  ) async -> Step<Result> {
    let writer = InputWriter(writeEnd)
    do {
      guard try await writer.write(RawZstandard.begin + RawZstandard.blocks(first)) else {
        return .fed
      }
      while let chunk = try await input.next() {
        guard try await writer.write(RawZstandard.blocks(chunk)) else { return .fed }
      }
      try await writer.write(RawZstandard.end)
      writeEnd.close()
      return .fed
    } catch {
      return .failed(error)
    }
  }
}

/// Writes on a thread of its own, because that blocks.
private actor InputWriter {
  private let executor = ThreadExecutor(name: "magic-input")
  private let descriptor: Descriptor

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// Writes all bytes; false when nobody reads them any more.
  @discardableResult func write(_ bytes: [UInt8]) throws -> Bool {
    guard let number = descriptor.number else { return false }
    return try writeAll(bytes, to: number)
  }
}
