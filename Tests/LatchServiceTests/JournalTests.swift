import Foundation
import Latches
import Synchronization
import Testing

@testable import LatchService

/// A folder that is removed with its last use.
final class TemporaryFolder {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.path + "/latches-" + UUID().uuidString
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var file: [UInt8] {
    get { Array(FileManager.default.contents(atPath: path + "/latches") ?? Data()) }
    set { _ = FileManager.default.createFile(atPath: path + "/latches", contents: Data(newValue)) }
  }
}

@Suite struct JournalTests {
  private let folder = TemporaryFolder()

  private func store(
    bootID: String = "one", now: Duration = .zero, slack: Int = 1 << 20
  ) throws -> FileStore {
    try FileStore(
      folder: folder.path, limits: Limits(), bootID: bootID, now: now, slackByteCount: slack)
  }

  private func session(_ deadline: Duration, timeToLive: Duration = .seconds(10))
    -> LatchSnapshot.Session
  {
    LatchSnapshot.Session(
      owner: "ana", timeToLive: timeToLive, lockDelay: .seconds(1), deadline: deadline, finished: []
    )
  }

  private func held(_ token: UInt64, _ name: String = "s") -> LatchSnapshot.Held {
    LatchSnapshot.Held(
      grant: Grant(
        token: token, session: name, request: "r\(token)",
        wishes: [
          Wish(Resource(["d", "t"], keys: KeyRange(from: [1], to: [0, 255])), .exclusive),
          Wish(Resource(["d", "u"]), .sharedIntentionExclusive),
        ]))
  }

  /// A session that holds two things, and one that is over.
  private func fill(_ store: FileStore) async throws -> LatchSnapshot {
    var changes = LatchChanges()
    changes.sessions = ["s": session(.seconds(10)), "t": session(.seconds(9))]
    changes.held[1] = held(1)
    changes.lastToken = 1
    changes.revision = 5
    var snapshot = try await store.begin { _ in }.snapshot
    for step in 0..<3 {
      if step == 1 {
        changes = LatchChanges()
        changes.sessions["t"] = .some(nil)
        changes.kept["s"] = .seconds(12)
        changes.finished["s"] = ["over"]
        changes.held[2] = held(2)
      }
      if step == 2 {
        changes = LatchChanges()
        var one = held(2)
        one.entries[7] = .seconds(30)
        changes.held[2] = one
        changes.held[1] = .some(nil)
      }
      changes.lastToken = UInt64(min(step + 1, 2))
      changes.revision += 5
      try await store.write(changes, at: .seconds(1 + step))
      snapshot.apply(changes)
    }
    return snapshot
  }

  @Test func aProcessThatWasKilledGoesOnExactly() async throws {
    let snapshot = try await fill(try store())
    let beginning = try await store(now: .seconds(5)).begin { _ in }
    #expect(beginning.isSameClock && beginning.grantsFrom == nil)
    #expect(beginning.snapshot.sessions == snapshot.sessions)
    #expect(beginning.snapshot.held == snapshot.held)
    #expect(beginning.snapshot.lastToken == 2 && beginning.snapshot.revision > snapshot.revision)
  }

  @Test func afterAPowerCutNothingIsGrantedUntilAllLeasesAreOver() async throws {
    _ = try await fill(try store())
    let beginning = try await store(bootID: "two", now: .seconds(3)).begin { _ in }
    #expect(beginning.snapshot.sessions.isEmpty && beginning.snapshot.held.isEmpty)
    #expect(beginning.snapshot.lastToken >= 100_000)
    // The longest of what an entry may last and the session with its lock delay.
    #expect(beginning.grantsFrom == .seconds(63))
  }

  @Test func afterAnOrderlyStopEveryLeaseHasItsWholeTimeAgain() async throws {
    let first = try store()
    let snapshot = try await fill(first)
    await first.end()
    let beginning = try await store(bootID: "two", now: .seconds(100)).begin { _ in }
    #expect(beginning.grantsFrom == nil)
    #expect(beginning.snapshot.sessions.mapValues(\.deadline) == ["s": .seconds(110)])
    #expect(beginning.snapshot.held.mapValues(\.grant) == snapshot.held.mapValues(\.grant))
    // The stop is undone by going on.
    _ = try await fill(try store(bootID: "two", now: .seconds(100)))
    #expect(try Journal.read(folder.file).isComplete == false)
  }

  @Test func aTornEndIsDropped() async throws {
    _ = try await fill(try store())
    let whole = folder.file
    let ends = Set(whole.indices.map { try? Journal.read(Array(whole[..<$0])).byteCount })
    // Behind the header, the first batch, and two more.
    #expect(ends.compactMap(\.self).count == 4)
    for count in 0..<whole.count {
      guard let contents = try? Journal.read(Array(whole[..<count])) else {
        #expect(count < 60)
        continue
      }
      #expect(contents.byteCount <= count)
    }
    #expect(
      try Journal.read(whole + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).byteCount == whole.count)
  }

  @Test func damageIsToldNotTakenForAnEnd() async throws {
    _ = try await fill(try store())
    let whole = folder.file
    let contents = try Journal.read(whole)
    let last = try #require(
      whole.indices.last {
        (try? Journal.read(Array(whole[..<$0])).byteCount) != contents.byteCount
      })
    for index in whole.indices {
      var damaged = whole
      damaged[index] ^= 0x10
      if let found = try? Journal.read(damaged), found.damage == nil {
        #expect(found.byteCount < whole.count && index > last / 2, "\(index)")
      }
    }
    folder.file = Array(whole.reversed())
    #expect(throws: LatchStoreError.self) { try store() }
    // Of a machine that went down it is what was not on the disk yet.
    let first = try #require(
      whole.indices.first { (try? Journal.read(Array(whole[..<$0]))) != nil })
    folder.file = whole[..<(first + 40)] + [UInt8](repeating: 0, count: 40) + whole[(first + 80)...]
    #expect(throws: LatchStoreError.self) { try store() }
    let beginning = try await store(bootID: "two").begin { _ in }
    #expect(beginning.grantsFrom == .seconds(7200) && beginning.snapshot.lastToken >= 1 << 40)
  }

  @Test func aJournalIsBegunAnewBeforeItGrows() async throws {
    let store = try store(slack: 4 << 10)
    let snapshot = try await fill(store)
    var changes = LatchChanges()
    changes.lastToken = 2
    for index in 0..<2_000 {
      changes.kept["s"] = .seconds(index)
      try await store.write(changes, at: .seconds(index))
      #expect(folder.file.count < 20_000)
    }
    let contents = try Journal.read(folder.file)
    #expect(contents.snapshot.sessions["s"]?.deadline == .seconds(1999))
    #expect(contents.snapshot.held == snapshot.held)
  }

  @Test func twoProcessesNeverHaveOneFile() throws {
    let first = try store()
    #expect(throws: LatchStoreError.self) { try store() }
    withExtendedLifetime(first) {}
  }

  @Test func whatCannotBeSyncedIsWrittenAnew() async throws {
    let fails = Mutex(false)
    let isFailing: @Sendable () -> Bool = { fails.withLock { $0 } }
    let store = try FileStore(
      folder: folder.path, limits: Limits(), bootID: "one", now: .zero, slackByteCount: 1 << 20,
      syncFile: { descriptor in
        if isFailing() {
          errno = EIO
          return -1
        }
        return fdatasync(descriptor)
      })
    let snapshot = try await fill(store)
    fails.withLock { $0 = true }
    await #expect(throws: LatchStoreError.self) { try await store.sync() }
    fails.withLock { $0 = false }
    // That it could be synced now says nothing of what was lost.
    await #expect(throws: LatchStoreError.self) { try await store.sync() }
    folder.file = []
    var changes = LatchChanges()
    changes.lastToken = 2
    changes.kept["s"] = .seconds(20)
    try await store.write(changes, at: .seconds(9))
    try await store.sync()
    let contents = try Journal.read(folder.file)
    #expect(contents.snapshot.held == snapshot.held)
    #expect(contents.snapshot.sessions["s"]?.deadline == .seconds(20))
  }

  @Test func tokensAreSetAsideAhead() async throws {
    let store = try store()
    var changes = LatchChanges()
    changes.lastToken = 60_000
    try await store.write(changes, at: .zero)
    #expect(try Journal.read(folder.file).tokenLimit == 160_000)
  }
}
