import Arrow
import CArrowABI
import Synchronization
import Testing

/// Counts the calls of an array's `release`, which stays what it was.
private final class ReleaseProbe {
  let release: (@convention(c) (UnsafeMutablePointer<ArrowArray>?) -> Void)?
  let data: UnsafeMutableRawPointer?
  let count: ReleaseCount

  init(_ array: inout ArrowArray, count: ReleaseCount) {
    release = array.release
    data = array.private_data
    self.count = count
    array.private_data = Unmanaged.passRetained(self).toOpaque()
    array.release = { pointer in
      guard let pointer, let data = pointer.pointee.private_data else { return }
      let probe = Unmanaged<ReleaseProbe>.fromOpaque(data).takeRetainedValue()
      probe.count.value.add(1, ordering: .relaxed)
      pointer.pointee.private_data = probe.data
      probe.release?(pointer)
    }
  }
}

private final class ReleaseCount: Sendable {
  let value = Atomic(0)
}

/// Notes when nobody keeps the memory alive any more.
private final class Owner {
  let releases: ReleaseCount
  init(_ releases: ReleaseCount) { self.releases = releases }
  deinit { releases.value.add(1, ordering: .relaxed) }
}

@Suite struct CInterfaceTests {
  @Test func roundTripsTheSchema() throws {
    let schema = try Sample.batch().schema
    var exported = ArrowSchema()
    schema.export(into: &exported)
    #expect(try Schema(importing: &exported) == schema)
    #expect(exported.release == nil)
  }

  @Test func roundTripsEveryTypeWithoutCopyingAndReleasesOnce() throws {
    let releases = ReleaseCount()
    do {
      let batch = try Sample.batch()
      var exported = ArrowArray()
      batch.export(into: &exported)
      _ = ReleaseProbe(&exported, count: releases)
      let imported = try RecordBatch(importing: &exported, schema: batch.schema)
      #expect(exported.release == nil)
      #expect(describe(imported) == describe(batch))
      let column = imported.columns[3]
      #expect(releases.value.load(ordering: .relaxed) == 0)
      let (before, after) = (address(batch.columns[3]), address(column))
      #expect(before == after)
    }
    #expect(releases.value.load(ordering: .relaxed) == 1)
  }

  private func address(_ array: ArrayData) -> UInt {
    array.buffers[0].withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
  }

  @Test func roundTripsSlicesAndASlicedRoot() throws {
    let batch = try Sample.batch()
    for range in [0..<0, 1..<4, 2..<5, 3..<3] {
      let slice = batch.slice(range)
      var exported = ArrowArray()
      slice.export(into: &exported)
      let imported = try RecordBatch(importing: &exported, schema: batch.schema)
      #expect(describe(imported) == describe(batch).map { Array($0[range]) })

      var whole = ArrowArray()
      batch.export(into: &whole)
      whole.offset = Int64(range.lowerBound)
      whole.length = Int64(range.count)
      let root = try RecordBatch(importing: &whole, schema: batch.schema)
      #expect(describe(root) == describe(batch).map { Array($0[range]) })
    }
  }

  @Test func computesUnknownNullCountsAndKeepsInvalidText() throws {
    let array = textColumn(.utf8, [[0xFF, 0xFE], nil, [0xC3]])
    let schema = Schema(fields: [Field(name: "text", type: .utf8)])
    let batch = try RecordBatch(schema: schema, columns: [array], rowCount: 3)
    var exported = ArrowArray()
    batch.export(into: &exported)
    exported.null_count = -1
    exported.children[0]?.pointee.null_count = -1
    let imported = try RecordBatch(importing: &exported, schema: schema)
    #expect(imported.columns[0].nullCount == 1)
    #expect(describe(imported) == [["ff fe", "null", "c3"]])
  }

  @Test(arguments: [0, 1, 2, 3, 4, 5, 6])
  func refusesArraysThatContradictThemselves(number: Int) throws {
    let mutations: [(inout ArrowArray) -> Void] = [
      { $0.length = -1 }, { $0.offset = -1 }, { $0.length = .max }, { $0.n_buffers = 7 },
      { $0.n_children = 3 }, { $0.null_count = 9 },
      { if let release = $0.release { release(&$0) } },
    ]
    let batch = try Sample.batch()
    // The last two columns, a union and one of the null type, have no number of nulls of their own.
    for index in batch.columns.indices.dropLast(2) {
      var exported = ArrowArray()
      batch.export(into: &exported)
      let child = try #require(exported.children[index])
      mutations[number](&child.pointee)
      #expect(throws: ArrowError.self, "\(batch.schema.fields[index])") {
        _ = try RecordBatch(importing: &exported, schema: batch.schema)
      }
    }
  }

  @Test func refusesOffsetsAndIndicesOutOfBounds() throws {
    let text = Buffer(copying: Array("abcdef".utf8))
    let cases: [ArrayData] = [
      ArrayData(type: .utf8, length: 2, buffers: [buffer(of: [Int32(0), 5, 4]), text]),
      ArrayData(type: .utf8, length: 2, buffers: [buffer(of: [Int32(-1), 2, 4]), text]),
      ArrayData(type: .utf8, length: 2, buffers: [buffer(of: [Int32(0), 2, 7]), text]),
      ArrayData(type: .utf8, length: 3, buffers: [buffer(of: [Int32(0), 2, 4]), text]),
      ArrayData(type: .largeUtf8, length: 1, buffers: [buffer(of: [Int64(0), .max]), text]),
      ArrayData(type: .int64, length: 2, buffers: [text]),
      ArrayData(type: .int64, length: .max, offset: 1, buffers: [text]),
      ArrayData(type: .bool, length: 49, buffers: [text]),
      ArrayData(
        type: .int8, length: 6, nullCount: 1, validity: .empty, buffers: [text]),
      ArrayData(
        type: .list(Field(name: "item", type: .int8)), length: 1,
        buffers: [buffer(of: [Int32(0), 7])],
        children: [ArrayData(type: .int8, length: 6, buffers: [text])]),
      ArrayData(
        type: .fixedSizeList(Field(name: "item", type: .int8), 4), length: 2,
        children: [ArrayData(type: .int8, length: 6, buffers: [text])]),
      ArrayData(
        type: .dictionary(index: .int8, values: .utf8), length: 2,
        buffers: [buffer(of: [Int8(0), 2])], dictionary: textColumn(["a", "b"])),
      ArrayData(
        type: .dictionary(index: .int8, values: .utf8), length: 1,
        buffers: [buffer(of: [Int8(-1)])],
        dictionary: textColumn(["a", "b"])),
    ]
    for (number, array) in cases.enumerated() {
      #expect(throws: ArrowError.self, "case \(number)") { try array.validate() }
    }
    // What lies under a null is nobody's business.
    let hidden = ArrayData(
      type: .dictionary(index: .int8, values: .utf8), length: 2, nullCount: 1,
      validity: Buffer(copying: [0b01]), buffers: [buffer(of: [Int8(1), 99])],
      dictionary: textColumn(["a", "b"]))
    try hidden.validate()
    #expect(texts(hidden) == ["b", nil])
  }

  @Test func streamsBatchesBothWays() throws {
    let batch = try Sample.batch()
    let releases = ReleaseCount()
    var pending = [batch, batch.slice(0..<0), batch.slice(2..<4)]
    let schema = batch.schema
    try withExportedStream(
      schema: schema,
      next: {
        _ = releases
        return pending.isEmpty ? nil : pending.removeFirst()
      }
    ) { stream in
      let imported = try ImportedStream(moving: stream)
      #expect(stream.pointee.release == nil)
      #expect(imported.schema == schema)
      #expect(try imported.next().map(describe) == describe(batch))
      #expect(try imported.next()?.rowCount == 0)
      #expect(try imported.next().map(describe) == describe(batch.slice(2..<4)))
      #expect(try imported.next() == nil)
      #expect(try imported.next() == nil)
    }
  }

  @Test func passesTheProducersErrorOn() throws {
    struct Failure: Error, CustomStringConvertible { let description = "disk on fire" }
    let batch = try Sample.batch()
    try withExportedStream(schema: batch.schema, next: { throw Failure() }) { stream in
      let imported = try ImportedStream(moving: stream)
      for _ in 0..<2 {
        #expect(throws: ArrowError(.stream(5), "disk on fire")) { try imported.next() }
      }
    }
    let other = Schema(fields: [Field(name: "other", type: .int8)])
    try withExportedStream(schema: other, next: { batch }) { stream in
      let imported = try ImportedStream(moving: stream)
      #expect(throws: ArrowError.self) { try imported.next() }
    }
  }

  @Test func keepsForeignMemoryAliveAsLongAsABufferLives() throws {
    let releases = ReleaseCount()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 8)
    defer { memory.deallocate() }
    memory.storeBytes(of: 7, as: Int64.self)
    memory.storeBytes(of: 8, toByteOffset: 8, as: Int64.self)
    var slice: ArrayData?
    do {
      let buffer = Buffer(unowned: UnsafeRawBufferPointer(memory), keptAliveBy: Owner(releases))
      slice = ArrayData(type: .int64, length: 2, buffers: [buffer]).slice(1..<2)
    }
    #expect(releases.value.load(ordering: .relaxed) == 0)
    #expect(slice.map(describe) == ["8"])
    slice = nil
    #expect(releases.value.load(ordering: .relaxed) == 1)
  }
}
