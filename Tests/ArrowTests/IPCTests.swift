import Arrow
import Foundation
import Testing
import WireFormat

/// The stream of the sample, whole and sliced, that the Python script writes too.
private func sampleStream(_ pieces: [Range<Int>] = samplePieces) throws -> [UInt8] {
  let batch = try Sample.batch()
  var writer = StreamWriter(schema: batch.schema)
  var bytes: [UInt8] = []
  writer.writeSchema(to: &bytes)
  for range in pieces { try writer.write(batch.slice(range), to: &bytes) }
  writer.writeEnd(to: &bytes)
  return bytes
}

private let samplePieces = [0..<5, 1..<4, 5..<5, 3..<5]

/// Reads a stream that arrives in pieces of `step` bytes.
private func read(_ bytes: [UInt8], step: Int) throws -> (Schema?, [RecordBatch]) {
  var reader = StreamReader()
  var batches: [RecordBatch] = []
  for start in stride(from: 0, to: bytes.count, by: step) {
    try reader.push(Array(bytes[start..<min(start + step, bytes.count)]))
    while let batch = reader.next() { batches.append(batch) }
  }
  try reader.finish()
  return (reader.schema, batches)
}

/// Reads every value that takes memory, and of the others as many as is worth the time.
private func readAll(_ batch: RecordBatch) -> Int {
  var count = 0
  for column in batch.columns {
    for index in 0..<min(column.length, 10_000) { count += describe(column, at: index).utf8.count }
    if column.length > 0 { count += describe(column, at: column.length - 1).utf8.count }
  }
  return count
}

private func expectSample(_ schema: Schema?, _ batches: [RecordBatch]) throws {
  let expected = try Sample.batch()
  #expect(schema == expected.schema)
  #expect(batches.count == samplePieces.count)
  for (batch, range) in zip(batches, samplePieces) {
    #expect(batch.rowCount == range.count)
    #expect(describe(batch) == describe(expected).map { Array($0[range]) })
    for (column, original) in zip(batch.columns, expected.columns) {
      #expect(column.nullCount == original.slice(range).nullCount)
    }
  }
}

@Suite struct IPCTests {
  @Test(arguments: [1, 7, 64, 1 << 20])
  func roundTripsInPiecesOfAnySize(step: Int) throws {
    let (schema, batches) = try read(sampleStream(), step: step)
    try expectSample(schema, batches)
  }

  @Test func sendsADictionaryOnceAndAgainWhenItChanges() throws {
    let first = DictionaryBuilder(values: [Array("a".utf8)])
    let second = DictionaryBuilder(values: [Array("b".utf8)])
    let schema = Schema(fields: [Field(name: "word", type: first.type)])
    var writer = StreamWriter(schema: schema)
    var decoder = MessageDecoder()
    _ = try decoder.decode(header: writer.schemaMessage.header, body: .empty)
    var counts: [Int] = []
    var words: [String?] = []
    for builder in [first, first, second, second, first] {
      builder.append(index: 0)
      let batch = try RecordBatch(schema: schema, columns: [builder.finish()], rowCount: 1)
      let messages = try writer.messages(for: batch)
      counts.append(messages.count)
      for message in messages {
        // A body at an odd address, as a transport may hand it over.
        var bytes: [UInt8] = [0]
        message.appendBody(to: &bytes)
        #expect(bytes.count == 1 + message.bodyByteCount)
        let body = Buffer(copying: bytes).slice(1..<bytes.count)
        if let batch = try decoder.decode(header: message.header, body: body) {
          words += texts(batch.columns[0])
        }
      }
    }
    #expect(counts == [2, 1, 2, 1, 2])
    #expect(words == ["a", "a", "b", "b", "a"])
  }

  @Test func asksForMoreOrFailsWhereverAStreamEnds() throws {
    let bytes = try sampleStream([1..<4])
    for count in 0..<bytes.count {
      var reader = StreamReader()
      try reader.push(Array(bytes[..<count]))
      var batchCount = 0
      while let batch = reader.next() {
        if count % 97 == 0 { _ = readAll(batch) }
        batchCount += 1
      }
      let isAtEnd = reader.isAtEnd
      #expect(!isAtEnd)
      // A stream may end between messages, without the mark; never within one.
      do throws(DecodeError) {
        try reader.finish()
        let schema = reader.schema
        #expect(schema != nil)
      } catch {
        #expect(error.code == .truncated)
        #expect(error.offset == count)
      }
    }
  }

  @Test func readsMutatedStreamsSafely() throws {
    let original = try sampleStream()
    let limit = try #require(schemaEnd(original))
    var outcomes = (read: 0, refused: 0)
    for seed in UInt64(0)..<4000 {
      var random = SplitMix64(state: seed)
      var bytes = original
      // Half of the rounds change the schema, half what follows.
      let range = seed % 2 == 0 ? 0..<limit : limit..<bytes.count
      for _ in 0...Int(random.next() % 4) {
        let position = range.lowerBound + Int(random.next() % UInt64(range.count))
        switch random.next() % 3 {
        case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes[position] ^= 1 << UInt8(random.next() % 8)
        default: bytes[position] = [0, 1, 0x7F, 0x80, 0xFF][Int(random.next() % 5)]
        }
      }
      var reader = StreamReader(bodyByteLimit: 1 << 24)
      do throws(DecodeError) {
        try reader.push(bytes)
        try reader.finish()
        outcomes.read += 1
      } catch {
        outcomes.refused += 1
        #expect(error.offset >= 0)
      }
      while let batch = reader.next() { _ = readAll(batch) }
    }
    #expect(outcomes.read > 100)
    #expect(outcomes.refused > 1000)
  }

  private func schemaEnd(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBytes { 8 + Int($0.load(fromByteOffset: 4, as: Int32.self)) }
  }

  @Test func refusesWhatIsNoStreamOrAboveItsLimits() throws {
    func code(_ bytes: [UInt8], headerByteLimit: Int = 1 << 20) -> DecodeError.Code? {
      var reader = StreamReader(headerByteLimit: headerByteLimit, bodyByteLimit: 64)
      do throws(DecodeError) {
        try reader.push(bytes)
        return nil
      } catch {
        return error.code
      }
    }
    let bytes = try sampleStream()
    #expect(code(Array("ARROW1\0\0".utf8)) == .malformed)
    #expect(code(bytes, headerByteLimit: 100) == .limitExceeded)
    #expect(code(bytes) == .limitExceeded)
    #expect(code([255, 255, 255, 255, 0, 0, 0, 0, 1]) == .trailingBytes)
    let afterSchema = try #require(schemaEnd(bytes))
    #expect(code(Array(bytes[..<afterSchema] + bytes[..<afterSchema])) == .malformed)
  }

  @Test func refusesABatchOfOtherTypes() throws {
    let batch = try Sample.batch()
    var writer = StreamWriter(schema: Schema(fields: [Field(name: "a", type: .int8)]))
    #expect(throws: ArrowError.self) { try writer.messages(for: batch) }
  }
}

/// A generator whose sequence depends on its seed alone.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

/// Checks against pyarrow, with the Python of `MAGIC_PYTHON` or of `.deps/python`.
@Suite struct PythonTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

  /// The interpreter, or `nil`, and says so, when it is absent or has no pyarrow.
  private static func python() -> String? {
    let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    let path =
      ProcessInfo.processInfo.environment["MAGIC_PYTHON"]
      ?? root.appendingPathComponent(".deps/python/bin/python").path
    if FileManager.default.isExecutableFile(atPath: path),
      (try? run(path, ["-c", "import pyarrow"]))?.status == 0
    {
      return path
    }
    print("skipped: no Python with pyarrow at \(path); set MAGIC_PYTHON")
    return nil
  }

  private static func run(_ path: String, _ arguments: [String]) throws -> (
    status: Int32, output: String
  ) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  /// Runs `sample.py` on a temporary file.
  private func withSampleFile(
    _ python: String, _ command: String, before: (URL) throws -> Void, after: (URL) throws -> Void
  ) throws {
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("magic-\(UUID().uuidString).arrow")
    defer { try? FileManager.default.removeItem(at: file) }
    try before(file)
    let script = Self.folder.appendingPathComponent("sample.py").path
    let (status, output) = try Self.run(python, [script, command, file.path])
    #expect(status == 0, "\(output)")
    try after(file)
  }

  @Test func pythonReadsWhatSwiftWrites() throws {
    guard let python = Self.python() else { return }
    try withSampleFile(
      python, "check", before: { try Data(sampleStream()).write(to: $0) }, after: { _ in })
  }

  @Test(arguments: ["write", "write-lz4", "write-zstd"])
  func swiftReadsWhatPythonWrites(command: String) throws {
    guard let python = Self.python() else { return }
    try withSampleFile(
      python, command, before: { _ in },
      after: { file in
        let (schema, batches) = try read(Array(Data(contentsOf: file)), step: 1000)
        try expectSample(schema, batches)
      })
  }

  @Test func swiftReadsDictionariesThatGrow() throws {
    guard let python = Self.python() else { return }
    try withSampleFile(
      python, "deltas", before: { _ in },
      after: { file in
        let (_, batches) = try read(Array(Data(contentsOf: file)), step: 1000)
        let words = batches.map { $0.columns[0].dictionary.map(describe) ?? [] }
        #expect(words == [["61"], ["61", "null"], ["61", "null", "63 63 63"]])
        let numbers = batches.map { $0.columns[1].dictionary.map(describe) ?? [] }
        #expect(numbers == [["1"], ["1", "2"], ["1", "2", "3"]])
        #expect(batches.map { $0.columns[0].withValues(of: Int32.self) { $0[0] } } == [0, 1, 2])
      })
  }

  @Test func viewsBecomePlainTexts() throws {
    guard let python = Self.python() else { return }
    try withSampleFile(
      python, "views", before: { _ in },
      after: { file in
        let (schema, batches) = try read(Array(Data(contentsOf: file)), step: 1000)
        #expect(schema?.fields.map(\.type) == [.utf8, .binary, .int8])
        let words = ["a", "twelve bytes", "thirteen byte", "", String(repeating: "x", count: 5000)]
        let texts = words.map { $0.utf8.map { String($0, radix: 16) }.joined(separator: " ") }
        let all = [texts[0], "null"] + texts[1...]
        for (batch, rows) in zip(batches, [0..<6, 2..<5, 0..<0]) {
          #expect(batch.rowCount == rows.count)
          for column in batch.columns[0...1] {
            let got = (0..<column.length).map { row in
              column.isNull(at: row)
                ? "null"
                : column.withBinaryValue(at: row) { bytes in
                  bytes.map { String($0, radix: 16) }.joined(separator: " ")
                }
            }
            #expect(got == Array(all[rows]))
          }
        }
      })
  }

  /// Whatever is damaged in a compressed stream is found, or is no harm.
  @Test(arguments: ["write-lz4", "write-zstd"])
  func readsMutatedCompressedStreamsSafely(command: String) throws {
    guard let python = Self.python() else { return }
    try withSampleFile(
      python, command, before: { _ in },
      after: { file in
        let original = [UInt8](try Data(contentsOf: file))
        var refused = 0
        for seed in UInt64(0)..<2000 {
          var random = SplitMix64(state: seed)
          var bytes = original
          for _ in 0...Int(random.next() % 4) {
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
              truncatingIfNeeded: random.next())
          }
          do {
            let (_, batches) = try read(bytes, step: bytes.count)
            for batch in batches { _ = readAll(batch) }
          } catch {
            refused += 1
          }
        }
        #expect(refused > 500)
      })
  }
}
