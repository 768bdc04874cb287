import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

@Suite struct CommitLogTests {
  private func withFile(_ body: (String) async throws -> Void) async throws {
    let folder = temporaryFolder()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder + "/commits")
  }

  private func bytes(_ path: String) throws -> [UInt8] {
    Array(try #require(FileManager.default.contents(atPath: path)))
  }

  @Test func theNewestRecordIsRead() async throws {
    try await withFile { path in
      #expect(try CommitLog.read(path: path) == nil)
      let (log, first) = try await CommitLog.open(path: path)
      #expect(first == CommitRecord())
      for commit in 2...5 as ClosedRange<UInt64> {
        let record = CommitRecord(
          commit: commit, nextVersion: commit * 10,
          checkpoint: [UInt8](repeating: UInt8(commit), count: Int(commit)))
        try await log.write(record)
        #expect(try CommitLog.read(path: path) == record)
      }
      let (_, again) = try await CommitLog.open(path: path)
      #expect(again.commit == 5)
    }
  }

  /// A write that was cut off anywhere leaves the record before it.
  @Test func aTornWriteLeavesTheRecordBefore() async throws {
    try await withFile { path in
      let (log, _) = try await CommitLog.open(path: path)
      let old = CommitRecord(commit: 7, nextVersion: 8, checkpoint: Array("old".utf8))
      try await log.write(old)
      let before = try bytes(path)
      let new = CommitRecord(commit: 9, nextVersion: 10, checkpoint: Array("new one".utf8))
      try await log.write(new)
      let after = try bytes(path)
      let changed = before.indices.filter { before[$0] != after[$0] }
      let start = try #require(changed.first)
      let end = try #require(changed.last)
      for cut in start...end {
        let torn = after[..<cut] + before[cut...]
        try Data(torn).write(to: URL(filePath: path))
        #expect(try CommitLog.read(path: path) == old, "cut at \(cut)")
      }
      for position in stride(from: start, through: end, by: 3) {
        var flipped = after
        flipped[position] ^= 0x40
        try Data(flipped).write(to: URL(filePath: path))
        let read = try? CommitLog.read(path: path)
        // A flipped bit of the format version may make it a newer one, which is an error.
        #expect(read == nil || read == old, "flipped at \(position)")
      }
      try Data(after).write(to: URL(filePath: path))
      #expect(try CommitLog.read(path: path) == new)
    }
  }

  @Test func damageAndNewerFormatsAreErrors() async throws {
    try await withFile { path in
      for garbage in [[], [UInt8](repeating: 0, count: 200_000), Array("MAGICCMT".utf8)] {
        try Data(garbage).write(to: URL(filePath: path))
        let error = await engineError { _ = try CommitLog.read(path: path) }
        #expect(error?.message.contains("is damaged") == true)
      }
      try FileManager.default.removeItem(atPath: path)
      _ = try await CommitLog.open(path: path)
      var newer = try bytes(path)
      newer[8] = 3
      try Data(newer).write(to: URL(filePath: path))
      let error = await engineError { _ = try CommitLog.read(path: path) }
      #expect(error?.message.contains("has format version 3") == true)
    }
  }

  @Test func aCheckpointThatIsTooLongIsRefused() async throws {
    try await withFile { path in
      let (log, _) = try await CommitLog.open(path: path)
      let error = await engineError {
        try await log.write(CommitRecord(checkpoint: [UInt8](repeating: 1, count: 65_500)))
      }
      #expect(error?.message.contains("too long") == true)
      #expect(try CommitLog.read(path: path) == CommitRecord())
    }
  }
}

@Suite struct CommitSequencerTests {
  private func withSequencer(
    _ body: (CommitSequencer, ReaderRegistry, String) async throws -> Void
  ) async throws {
    let folder = temporaryFolder()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/commits"
    let (log, record) = try await CommitLog.open(path: path)
    let registry = ReaderRegistry(published: CommitPoint(commit: record.commit))
    let sequencer = CommitSequencer(log: log, record: record, registry: registry) { _ in }
    try await body(sequencer, registry, path)
  }

  @Test func commitsArePublishedInTheirOrder() async throws {
    try await withSequencer { sequencer, registry, path in
      let first = try await sequencer.begin()
      let second = try await sequencer.begin()
      #expect((first, second) == (2, 3))
      // The checkpoint of a later commit does not get ahead of an earlier one.
      let later = Task { try await sequencer.publish(second, checkpoint: [2]) }
      try await Task.sleep(for: .milliseconds(20))
      #expect(registry.published.commit == 1)
      try await sequencer.publish(first, checkpoint: [1])
      try await later.value
      #expect(registry.published.commit == 3)
      let record = try CommitLog.read(path: path)
      #expect(record?.commit == 3)
      #expect(record?.checkpoint == [2])
    }
  }

  @Test func anAbandonedCommitHoldsUpNobody() async throws {
    try await withSequencer { sequencer, registry, _ in
      let first = try await sequencer.begin()
      let second = try await sequencer.begin()
      let later = Task { try await sequencer.publish(second) }
      await sequencer.abandon(first)
      try await later.value
      #expect(registry.published.commit == second)
    }
  }

  @Test func versionsGrowAndAreStored() async throws {
    try await withSequencer { sequencer, _, path in
      #expect(await sequencer.versions(5) == 1)
      #expect(await sequencer.versions(1) == 6)
      await sequencer.raiseVersions(above: 100)
      #expect(await sequencer.versions(2) == 101)
      await sequencer.raiseVersions(above: 50)
      try await sequencer.publish(try await sequencer.begin())
      #expect(try CommitLog.read(path: path)?.nextVersion == 103)
    }
  }

  @Test func afterAFailureNothingIsPublished() async throws {
    try await withSequencer { sequencer, registry, _ in
      let first = try await sequencer.begin()
      let second = try await sequencer.begin()
      let waiting = Task { try await sequencer.publish(second) }
      try await Task.sleep(for: .milliseconds(10))
      await sequencer.fail("broken")
      for attempt in [
        { try await waiting.value }, { try await sequencer.publish(first) },
        { _ = try await sequencer.begin() },
      ] as [() async throws -> Void] {
        let error = await engineError { try await attempt() }
        #expect(error?.message == "broken")
      }
      #expect(registry.published.commit == 1)
    }
  }
}

@Suite struct ReaderRegistryTests {
  @Test func readersHoldTheirCommitPoint() {
    let registry = ReaderRegistry(published: CommitPoint(commit: 5))
    let first = registry.enter()
    registry.publish(CommitPoint(commit: 7))
    registry.publish(CommitPoint(commit: 6))
    #expect(registry.published.commit == 7)
    #expect(first.point.commit == 5)
    #expect(registry.enter().point.commit == 7)
    #expect(registry.hasStatements(below: 6))
    #expect(!registry.hasStatements(below: 5))
    registry.leave(first)
    registry.leave(first)
    #expect(!registry.hasStatements(below: 7))
    #expect(registry.hasStatements(below: 8))
  }

  @Test func aMarkParts() {
    let registry = ReaderRegistry(published: CommitPoint(commit: 1))
    let before = registry.enter()
    let mark = registry.mark
    let after = registry.enter()
    #expect(registry.hasStatements(before: mark))
    registry.leave(before)
    #expect(!registry.hasStatements(before: mark))
    registry.leave(after)
  }
}

@Suite struct WriteLatchTests {
  @Test func oneAtATimeInTheOrderOfComing() async throws {
    let latch = WriteLatch()
    try await latch.acquire()
    let order = Monitor<[Int]>([])
    var tasks: [Task<Void, any Error>] = []
    for number in 0..<20 {
      tasks.append(Task { try await latch.withLatch { order.withLock { $0.append(number) } } })
      try await Task.sleep(for: .milliseconds(2))
    }
    tasks[3].cancel()
    let cancelled = await engineError { try await tasks[3].value }
    #expect(cancelled?.code == 394)
    latch.release()
    for (number, task) in tasks.enumerated() where number != 3 { try await task.value }
    #expect(order.withLock { $0 } == Array(0..<20).filter { $0 != 3 })
    try await latch.acquire()
  }
}
