import Arrow
import Glibc
import MagicCore
import Threads

/// A pipe through which rows go to the engine as an Arrow stream, with a thread of its own that
/// writes it. A full pipe holds back whoever gives the rows.
actor RowPipe {
  /// Nobody reads the rows any more, because the statement has ended.
  struct Closed: Error {}

  /// Smaller buffers are written together.
  private static let gatheredByteCount = 256 << 10

  private let executor = ThreadExecutor(name: "magic-rows")
  private let readEnd: Descriptor
  private let writeEnd: Descriptor
  /// Where the engine reads: it opens this path itself.
  nonisolated let readPath: String
  private var stream: StreamWriter
  private var gathered: [UInt8] = []
  private var hasBegun = false

  /// The thread that writes.
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// - Throws: ``EngineError`` when the process has too many open files.
  init(schema: Schema) throws {
    (readEnd, writeEnd) = try makePipe()
    readPath = "/proc/self/fd/\(readEnd.number ?? -1)"
    stream = StreamWriter(schema: schema)
    stream.writeSchema(to: &gathered)
  }

  /// How the bytes are compressed, by the engine's name.
  static let compression = RawZstandard.name

  /// Writes a batch; blocks the pipe's thread while the pipe is full.
  func write(_ batch: RecordBatch) throws {
    let messages: [IPCMessage]
    do {
      messages = try stream.messages(for: batch)
    } catch {
      throw EngineError(message: error.description)
    }
    for message in messages {
      message.appendHead(to: &gathered)
      for buffer in message.body {
        let padding = -buffer.byteCount & 7
        if buffer.byteCount < Self.gatheredByteCount {
          buffer.withUnsafeBytes { gathered.append(contentsOf: $0) }
        } else {
          try flush()
          try buffer.withUnsafeBytes { try write($0) }
        }
        gathered.append(contentsOf: repeatElement(0, count: padding))
        if gathered.count >= Self.gatheredByteCount { try flush() }
      }
    }
  }

  /// Ends the stream properly.
  func finish() throws {
    stream.writeEnd(to: &gathered)
    try flush()
    try RawZstandard.end.withUnsafeBytes { try writeWhole($0) }
    writeEnd.close()
  }

  /// Gives up the write end, so that the engine does not wait for more.
  nonisolated func abandon() { writeEnd.close() }

  /// Gives up this process's own read end, so that writing ends when the engine no longer reads.
  nonisolated func closeReadEnd() { readEnd.close() }

  private func flush() throws {
    try gathered.withUnsafeBytes { try write($0) }
    gathered.removeAll(keepingCapacity: true)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    if !hasBegun {
      hasBegun = true
      try RawZstandard.begin.withUnsafeBytes { try writeWhole($0) }
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      let block = UnsafeRawBufferPointer(rebasing: rest.prefix(RawZstandard.blockByteCount))
      try RawZstandard.blockHeader(byteCount: block.count).withUnsafeBytes { try writeWhole($0) }
      try writeWhole(block)
      rest = rest.dropFirst(block.count)
    }
  }

  private func writeWhole(_ bytes: UnsafeRawBufferPointer) throws {
    guard let descriptor = writeEnd.number, try writeAll(bytes, to: descriptor) else {
      throw Closed()
    }
  }
}

extension EngineConnection {
  /// Runs an INSERT that reads rows from a file, which are streamed to it.
  ///
  /// - Parameter insert: makes the statement for a path.
  /// - Throws: ``EngineError``, or what reading the rows threw.
  func stream(
    _ rows: any RecordBatchReader, _ plan: WritePlan,
    into insert: (_ path: String) -> String
  ) async throws {
    let pipe = try RowPipe(schema: plan.schema)
    let sql = insert(pipe.readPath)
    let execution = Task {
      defer { pipe.closeReadEnd() }
      _ = try await execute(sql)
    }
    try await withTaskCancellationHandler {
      do {
        while let batch = try await rows.next() {
          if batch.rowCount > 0 { try await pipe.write(try plan.adapt(batch)) }
        }
        try await pipe.finish()
      } catch is RowPipe.Closed {
        // The statement tells why.
        await rows.cancel()
      } catch {
        execution.cancel()
        pipe.abandon()
        _ = await execution.result
        throw error
      }
      pipe.abandon()
      try await execution.value
    } onCancel: {
      execution.cancel()
    }
  }
}
