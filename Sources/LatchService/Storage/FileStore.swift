import Foundation
public import Latches
import Synchronization
import Threads
import WireFormat

/// Keeps latches in a file of one machine, for one node.
///
/// What is written outlives the process at once, because it is the kernel's, and reaches the disk a little
/// later. `docs/latches.md` tells why that is enough.
public final class FileStore: LatchStore {
  private struct State: ~Copyable {
    var descriptor: Int32
    var byteCount: Int
    /// How long it was when it was begun.
    var baseByteCount: Int
    var snapshot: LatchSnapshot
    var tokenLimit: UInt64
    /// The next record is to be on the disk before anybody hears of it.
    var mustSync = false
    var isBroken = false
  }

  private let path: String
  private let bootID: String
  private let lock: Int32
  private let limits: Limits
  private let disk: Disk
  private let beginning: Beginning
  private let state: Mutex<State>

  /// How many tokens are set aside at a time.
  private static let tokenBlock: UInt64 = 100_000
  /// How much longer than what it is about a journal becomes before it is begun anew.
  private let slackByteCount: Int

  /// Opens the file `latches` of a folder, or makes one.
  ///
  /// - Throws: ``LatchStoreError`` when another process has it open, or it is damaged.
  public convenience init(folder: String, limits: Limits = Limits()) throws {
    try self.init(
      folder: folder, limits: limits, bootID: try currentBootID(), now: bootTime(),
      slackByteCount: 16 << 20)
  }

  /// `bootID` tells whether the machine was started anew since the file was written.
  init(
    folder: String, limits: Limits, bootID: String, now: Duration, slackByteCount: Int,
    syncFile: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }
  ) throws {
    path = folder + "/latches"
    self.limits = limits
    self.slackByteCount = slackByteCount
    lock = try lockFile(folder + "/latches.lock")
    do {
      var contents = Journal.Contents()
      contents.bootID = bootID
      if FileManager.default.fileExists(atPath: path) {
        do {
          contents = try Journal.read(try readFile(path))
        } catch let error as LatchStoreError {
          throw LatchStoreError("\(path): \(error)")
        }
        // When the machine goes down, what was not on the disk yet may be missing in any order.
        if let damage = contents.damage, contents.bootID == bootID {
          throw LatchStoreError("\(path): \(damage)")
        }
      }
      var beginning = contents.beginning(bootID: bootID, at: now, limits: limits)
      // Times of another clock mean nothing now; whole leases do.
      if !beginning.isSameClock {
        beginning.snapshot =
          LatchTable(limits: limits, from: beginning.snapshot, at: now, isSameClock: false).snapshot
        beginning.isSameClock = true
      }
      let snapshot = beginning.snapshot
      self.beginning = beginning
      let tokenLimit = snapshot.lastToken + Self.tokenBlock
      let (descriptor, count) = try writeJournal(
        path, snapshot, bootID: bootID, tokenLimit: tokenLimit, now: now)
      disk = Disk(descriptor: descriptor, syncFile: syncFile)
      state = Mutex(
        State(
          descriptor: descriptor, byteCount: count, baseByteCount: count, snapshot: snapshot,
          tokenLimit: tokenLimit))
      self.bootID = bootID
    } catch {
      close(lock)
      throw error
    }
  }

  deinit {
    state.withLock { _ = close($0.descriptor) }
    close(lock)
  }

  public func begin(
    _ onFollowing: @Sendable (Leader?) async -> Void
  ) async throws -> Beginning { beginning }

  public var isLeading: Bool { true }

  public var entryLimit: Duration? { nil }

  public func waitUntilDeposed() async throws {
    // Nobody else has the file as long as this process has.
    while true { try await Task.sleep(for: .seconds(3600)) }
  }

  public nonisolated(nonsending) func write(
    _ changes: LatchChanges, at time: Duration
  ) async throws {
    var batch = StoredBatch(changes)
    batch.time = time.nanoseconds
    let mustSync = try state.withLock { state in
      if changes.lastToken + Self.tokenBlock / 2 > state.tokenLimit {
        batch.tokenLimit = changes.lastToken + Self.tokenBlock
        state.mustSync = true
      }
      // What was written before may be nowhere but in memory: all of it is written again.
      if disk.hasFailed { try writeAnew(&state, time) }
      try append(batch, to: &state)
      state.tokenLimit = max(state.tokenLimit, batch.tokenLimit)
      state.snapshot.apply(changes)
      if state.byteCount > state.baseByteCount * 2 + slackByteCount { beginAnew(&state, time) }
      return state.mustSync
    }
    disk.syncSoon()
    if mustSync {
      try await disk.sync()
      state.withLock { $0.mustSync = false }
    }
  }

  public nonisolated(nonsending) func sync() async throws { try await disk.sync() }

  /// Notes that nothing follows, so that even after a start of the machine nobody need wait.
  public func end() async {
    var batch = StoredBatch()
    batch.isLast = true
    let isWritten = state.withLock { state in
      batch.lastToken = state.snapshot.lastToken
      batch.revision = state.snapshot.revision
      // What was written before has to be on the disk before this is.
      guard !disk.hasFailed, fdatasync(state.descriptor) == 0 else { return false }
      return (try? append(batch, to: &state)) != nil
    }
    if isWritten { try? await disk.sync() }
    flock(lock, LOCK_UN)
  }

  private func append(_ batch: StoredBatch, to state: inout State) throws {
    guard !state.isBroken else {
      throw LatchStoreError("\(path) could not be written before: start the service anew")
    }
    let bytes = try Journal.record(batch)
    if let error = writeAll(bytes, to: state.descriptor) {
      // Half a record must not lie before the next one.
      if ftruncate(state.descriptor, off_t(state.byteCount)) != 0 { state.isBroken = true }
      throw LatchStoreError("\(path) cannot be written: \(String(cString: strerror(error)))")
    }
    state.byteCount += bytes.count
  }

  private func beginAnew(_ state: inout State, _ time: Duration) {
    do {
      try writeAnew(&state, time)
    } catch {
      // The file goes on to grow, and this is tried again when it is twice as long.
      state.baseByteCount = state.byteCount
    }
  }

  /// Writes everything into a file of its own, which takes the place of the one before.
  private func writeAnew(_ state: inout State, _ time: Duration) throws {
    let (descriptor, count) = try writeJournal(
      path, state.snapshot, bootID: bootID, tokenLimit: state.tokenLimit, now: time)
    disk.replace(descriptor)
    state.descriptor = descriptor
    state.byteCount = count
    state.baseByteCount = count
    state.isBroken = false
  }
}

/// Brings what is written to a file to the disk, in the background and when asked.
private actor Disk {
  private nonisolated let executor = ThreadExecutor(name: "latches-disk")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private struct Order {
    var descriptor: Int32
    /// Others that are to be closed once nobody syncs them.
    var old: [Int32] = []
    var isPlanned = false
    /// Whether the file could not be synced. Linux then forgets which of its pages are not on the disk: that
    /// a later try succeeds means nothing.
    var hasFailed = false
  }

  private let order: Mutex<Order>

  private let syncFile: @Sendable (Int32) -> Int32

  init(descriptor: Int32, syncFile: @escaping @Sendable (Int32) -> Int32) {
    order = Mutex(Order(descriptor: descriptor))
    self.syncFile = syncFile
  }

  nonisolated var hasFailed: Bool { order.withLock { $0.hasFailed } }

  /// Goes on with another file, which is on the disk.
  nonisolated func replace(_ descriptor: Int32) {
    order.withLock { order in
      order.old.append(order.descriptor)
      order.descriptor = descriptor
      order.hasFailed = false
    }
    syncSoon()
  }

  nonisolated func syncSoon() {
    let isNew = order.withLock { order in
      defer { order.isPlanned = true }
      return !order.isPlanned
    }
    if isNew { Task { try? await sync() } }
  }

  func sync() throws {
    let (descriptor, old) = order.withLock { order in
      order.isPlanned = false
      defer { order.old = [] }
      return (order.descriptor, order.old)
    }
    for descriptor in old { close(descriptor) }
    guard !hasFailed, syncFile(descriptor) == 0 else {
      let problem = String(cString: strerror(hasFailed ? EIO : errno))
      order.withLock { if $0.descriptor == descriptor { $0.hasFailed = true } }
      throw LatchStoreError("latches cannot be synced: \(problem)")
    }
  }
}

/// What the machine calls the time since it was started last.
func currentBootID() throws -> String {
  String(
    decoding: try readFile("/proc/sys/kernel/random/boot_id"), as: UTF8.self
  ).trimmingCharacters(in: .whitespacesAndNewlines)
}

/// How long the machine has run; goes on while it sleeps, and never back.
public func bootTime() -> Duration {
  var time = timespec()
  clock_gettime(CLOCK_BOOTTIME, &time)
  return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

private func lockFile(_ path: String) throws -> Int32 {
  let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
  guard descriptor >= 0 else {
    throw LatchStoreError("\(path) cannot be opened: \(String(cString: strerror(errno)))")
  }
  guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
    close(descriptor)
    throw LatchStoreError("\(path) is locked: another process serves the latches of this folder")
  }
  return descriptor
}

private func readFile(_ path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw LatchStoreError("\(path) cannot be opened: \(String(cString: strerror(errno)))")
  }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else {
      throw LatchStoreError("\(path) cannot be read: \(String(cString: strerror(errno)))")
    }
    if count == 0 { return bytes }
    bytes += chunk[..<count]
  }
}

/// Writes a journal beside another one and puts it in its place.
private func writeJournal(
  _ path: String, _ snapshot: LatchSnapshot, bootID: String, tokenLimit: UInt64, now: Duration
) throws -> (descriptor: Int32, byteCount: Int) {
  var header = StoredHeader()
  header.version = Journal.version
  header.bootID = bootID
  var batch = StoredBatch(snapshot)
  batch.time = now.nanoseconds
  batch.tokenLimit = tokenLimit
  let bytes = try Journal.word + Journal.record(header) + Journal.record(batch)
  let aside = path + ".new"
  let descriptor = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
  guard descriptor >= 0 else {
    throw LatchStoreError("\(aside) cannot be made: \(String(cString: strerror(errno)))")
  }
  var problem = writeAll(bytes, to: descriptor)
  if problem == nil, fdatasync(descriptor) != 0 { problem = errno }
  if problem == nil, rename(aside, path) != 0 { problem = errno }
  if problem == nil { problem = syncFolder(of: path) }
  if let problem {
    close(descriptor)
    throw LatchStoreError("\(aside) cannot be written: \(String(cString: strerror(problem)))")
  }
  return (descriptor, bytes.count)
}

private func syncFolder(of path: String) -> Int32? {
  let folder = URL(filePath: path).deletingLastPathComponent().path
  let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { return errno }
  defer { close(descriptor) }
  return fsync(descriptor) == 0 ? nil : errno
}

/// - Returns: the number of the error, if there is one.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
  var offset = 0
  while offset < bytes.count {
    let count = bytes.withUnsafeBytes {
      write(descriptor, $0.baseAddress.map { $0 + offset }, bytes.count - offset)
    }
    if count < 0, errno == EINTR { continue }
    if count < 0 { return errno }
    offset += count
  }
  return nil
}
