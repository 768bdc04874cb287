import Binlog
import Foundation
import MySQLSchema
import Synchronization

@testable import Replication

/// A server that changes, a replicator that follows it, and everything that can go wrong, as one seed has it.
final class Simulation: Sendable {
  private struct State {
    var random: RandomNumbers
    var server: SimulatedServer
    /// How much the server still does before everything comes to rest.
    var actionsLeft: Int
    /// How many calls of the store until the process ends.
    var callsUntilCrash: Int?
    var isCrashed = false
    var catalogAtCrash: Data?
    var rounds = 0
    var checkedPosition: BinlogPosition?
    var isVerbose: Bool
    var log: [String] = []
  }

  private let state: Mutex<State>
  private let workers = Mutex<[Worker]>([])
  let disk = SimulatedDisk()
  let seed: UInt64
  private let folder: URL
  private let replicator = Mutex<Replicator?>(nil)
  static let filter = TableFilter(exclude: ["shop.hidden"])

  init(seed: UInt64) throws {
    self.seed = seed
    var random = RandomNumbers(seed: seed)
    var server = SimulatedServer(random: RandomNumbers(seed: random.next()))
    for _ in 0..<random.below(20) { server.act() }
    state = Mutex(
      State(
        random: random, server: server, actionsLeft: 20 + random.below(60),
        isVerbose: ProcessInfo.processInfo.environment["MAGIC_SEED"] != nil))
    let memory = URL(filePath: "/dev/shm")
    let parent =
      FileManager.default.isWritableFile(atPath: memory.path)
      ? memory : FileManager.default.temporaryDirectory
    folder = parent.appending(path: "magic-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  // MARK: For the simulated parts

  func withServer<Result>(_ body: (inout SimulatedServer) -> Result) -> Result {
    state.withLock { body(&$0.server) }
  }

  func random(_ bound: Int) -> Int { state.withLock { $0.random.below(bound) } }

  func log(_ text: @autoclosure () -> String) {
    state.withLock { state in
      if state.isVerbose { print(text()) }
    }
  }

  func mayLoseConnection() throws {
    let isLost = state.withLock { $0.actionsLeft > 0 && $0.random.oneIn(25) }
    if isLost { throw SimulatedLoss() }
  }

  private func crashStep() throws {
    let catalog = folder.appending(path: "catalog.json")
    try state.withLock { state in
      if let left = state.callsUntilCrash {
        state.callsUntilCrash = left - 1
        if left == 0 {
          state.isCrashed = true
          state.catalogAtCrash = try? Data(contentsOf: catalog)
        }
      }
      if state.isCrashed { throw SimulatedCrash() }
    }
  }

  // MARK: The course of things

  /// Goes on until everything is at rest.
  func run() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var processes = 0
    while try await runProcess() {
      processes += 1
      precondition(processes < 1000)
    }
  }

  /// - Returns: whether the process crashed, so that another one goes on.
  private func runProcess() async throws -> Bool {
    state.withLock { state in
      state.isCrashed = false
      state.callsUntilCrash =
        state.actionsLeft > 0 && state.random.below(3) > 0 ? state.random.below(150) : nil
      if let catalog = state.catalogAtCrash {
        try? catalog.write(to: folder.appending(path: "catalog.json"))
        state.catalogAtCrash = nil
      }
    }
    log("--- process")
    workers.withLock { $0 = [] }
    let sink = SimulatedSink(disk: disk) { [self] in
      try crashStep()
    } published: { [self] checkpoint, areNamesCurrent in
      await check(checkpoint, areNamesCurrent)
    }
    do {
      let replicator = try await Replicator(
        sink: sink, store: StateStore(folder: folder),
        configuration: Replicator.Configuration(
          filter: Self.filter, flushInterval: random(2) == 0 ? .zero : .milliseconds(3),
          batchBytes: random(3) == 0 ? 3 : 32 << 20, rowsPerRange: 1 + random(4)),
        report: { [self] text in log("  : \(text)") })
      self.replicator.withLock { $0 = replicator }
      let source = SimulatedSource(simulation: self)
      while true {
        do {
          try await replicator.prepare(source)
          break
        } catch is SimulatedLoss {}
      }
      try await follow(replicator, source)
      return false
    } catch is SimulatedCrash {
      log("--- crash")
      await endWorkers()
      return true
    }
  }

  private func follow(_ replicator: Replicator, _ source: SimulatedSource) async throws {
    while true {
      do {
        guard let start = try await replicator.streamStart() else { return }
        let stream = try await source.stream(from: start)
        switch try await replicator.follow(stream) {
        case .done: return
        case .again: log("again")
        case .paused: await replicator.resume()
        }
      } catch is SimulatedLoss {
        log("lost")
      }
    }
  }

  /// What happens before the next events are read.
  ///
  /// - Returns: false when everything is at rest and equal.
  func goOn(before streamPosition: BinlogPosition) async throws -> Bool {
    guard let replicator = replicator.withLock({ $0 }) else { return false }
    if random(5) > 0 { while await replicator.isPublishing { await Task.yield() } }
    let isActive = state.withLock { state in
      state.rounds += 1
      precondition(state.rounds < 100_000, "no end")
      if state.isCrashed { return false }
      for _ in 0..<state.random.below(3) where state.actionsLeft > 0 {
        state.actionsLeft -= 1
        state.server.act()
      }
      return state.actionsLeft > 0
    }
    if state.withLock(\.isCrashed) { throw SimulatedCrash() }
    if isActive, random(4) == 0 { await command(replicator) }
    for _ in 0...random(3) { try await work(replicator) }
    try mayLoseConnection()
    guard !isActive else { return true }
    // Everything comes to rest.
    let end = withServer { $0.position }
    guard streamPosition == end, await replicator.isAtRest(at: end) else {
      try await Task.sleep(for: .microseconds(200))
      return true
    }
    await checkEverything(replicator)
    return false
  }

  private func command(_ replicator: Replicator) async {
    let name = withServer { server in
      server.tables.keys.sorted().randomElement(using: &server.random)
    }
    guard let name else { return }
    do {
      switch random(8) {
      case 0, 1, 2:
        try await replicator.copyAnew(name)
        log("copy anew \(name)")
      case 3:
        try await replicator.skip(name)
        log("skip \(name)")
      case 4:
        await replicator.pause()
        log("pause")
      default: break
      }
    } catch {}
  }

  // MARK: Copying

  /// A worker that copies a piece; it stands still while others go on.
  private final class Worker: Sendable {
    enum State { case running, suspended, released, ended }
    let state = Mutex(State.running)
    let failure = Mutex<(any Error)?>(nil)
    @TaskLocal static var current: Worker?

    var isWaitingOrEnded: Bool {
      state.withLock { $0 == .suspended || $0 == .ended }
    }
  }

  /// Lets a worker begin something, or one that stands still go on.
  private func work(_ replicator: Replicator) async throws {
    let standing = workers.withLock { $0.filter { $0.state.withLock { $0 == .suspended } } }
    let worker: Worker
    if !standing.isEmpty, standing.count >= 3 || random(2) == 0 {
      worker = standing[random(standing.count)]
      worker.state.withLock { $0 = .released }
    } else {
      guard let task = await replicator.takeCopyTask() else { return }
      log("  copy \(task.text)")
      let new = Worker()
      worker = new
      workers.withLock { $0.append(new) }
      let copier = await TableCopier(
        replicator: replicator, source: SimulatedSource(simulation: self)
      ) { _ in }
      Task {
        await Worker.$current.withValue(new) {
          do {
            try await copier.perform(task, SimulatedReader(simulation: self))
          } catch {
            do {
              _ = try await copier.recover(from: error, task)
            } catch {
              new.failure.withLock { $0 = error }
            }
          }
          new.state.withLock { $0 = .ended }
        }
      }
    }
    while !worker.isWaitingOrEnded { await Task.yield() }
    if worker.state.withLock({ $0 == .ended }) {
      workers.withLock { workers in workers.removeAll { $0 === worker } }
      if let failure = worker.failure.withLock({ $0 }) { throw failure }
    }
  }

  /// Stands still until ``work(_:)`` lets it go on.
  func suspendWorker() async {
    guard let worker = Worker.current else { return }
    worker.state.withLock { $0 = .suspended }
    while worker.state.withLock({ $0 == .suspended }) {
      try? await Task.sleep(for: .microseconds(50))
    }
    worker.state.withLock { $0 = .running }
  }

  private func endWorkers() async {
    for worker in workers.withLock({ $0 }) {
      while worker.state.withLock({ $0 != .ended }) {
        worker.state.withLock { if $0 == .suspended { $0 = .released } }
        await Task.yield()
      }
    }
  }

  // MARK: Checks

  private func fail(_ text: String) {
    disk.state.withLock { $0.violations.append(text) }
    log("VIOLATION \(text)")
  }

  /// What is seen is the server's state at the checkpoint.
  private func check(_ checkpoint: Checkpoint, _ areNamesCurrent: Bool) async {
    guard let replicator = replicator.withLock({ $0 }) else { return }
    let live = await replicator.liveTableIDs
    let position = checkpoint.position
    let (moment, changed) = state.withLock { state in
      let changed =
        areNamesCurrent
        ? []
        : state.server.changedNames(
          after: state.checkedPosition ?? position, through: position)
      state.checkedPosition = position
      return (state.server.moment(at: position), changed)
    }
    let seen = disk.state.withLock { state in
      state.names.compactMapValues { state.storage[$0] }
    }
    log(
      "  published \(position) \(areNamesCurrent ? "names" : "rows"): \(seen.map { "\($0.key)=\($0.value.definition.id)" }.sorted())"
    )
    for (name, storage) in seen.sorted(by: { $0.key < $1.key })
    where live.contains(storage.definition.id) && !changed.contains(name) {
      compare(name, storage, moment?.tables[name], "at \(position)")
    }
  }

  private func compare(
    _ name: TableName, _ storage: SimulatedStorage, _ table: SimulatedTable?, _ place: String
  ) {
    guard let table else { return fail("\(name) (\(storage.definition.id)) is seen \(place)") }
    if storage.content != table.content {
      fail(
        "\(name) (\(storage.definition.id)) is \(storage.content) instead of \(table.content) "
          + place)
    }
  }

  private func checkEverything(_ replicator: Replicator) async {
    let tables = withServer { $0.tables }.filter { Self.filter.selects($0.key) }
    let catalog = await replicator.catalog
    let (names, storage) = disk.state.withLock { ($0.names, $0.storage) }
    for (name, table) in tables.sorted(by: { $0.key < $1.key }) {
      let known = catalog.tables.filter { $0.name == name }
      if let last = known.last, case .stopped(let reason, _) = last.state {
        if !reason.contains("skipped") { fail("\(name) stopped: \(reason)") }
        continue
      }
      guard let id = names[name], let stored = storage[id] else {
        fail("\(name) is missing in the end: \(known)")
        continue
      }
      if known.map(\.id) != [id] { fail("\(name) is \(id), in the catalog \(known.map(\.id))") }
      compare(name, stored, table, "in the end")
    }
    for name in names.keys.sorted() where tables[name] == nil { fail("\(name) is seen in the end") }
    let known = Set(catalog.tables.filter(\.hasStorage).map(\.id))
    for id in storage.keys.sorted() where !known.contains(id) { fail("storage \(id) is left over") }
  }
}

extension Replicator {
  fileprivate var isPublishing: Bool { isApplying }

  fileprivate var liveTableIDs: Set<UInt64> {
    Set(catalog.tables.filter { $0.state == .live }.map(\.id))
  }

  fileprivate func isAtRest(at end: BinlogPosition) -> Bool {
    guard !isApplying, checkpoint?.position == end, intentEnd == nil else { return false }
    return !catalog.tables.contains { $0.state == .copying }
      && catalog.visible(at: end).allSatisfy { shown[$0.id] == $0.name }
      && catalog.tables.allSatisfy { !$0.hasStorage || shown[$0.id] != nil }
  }

  fileprivate func takeCopyTask() -> CopyTask? {
    guard let (task, changed) = copying.next(catalog) else { return nil }
    if let changed { state.catalog.update(changed) }
    return task
  }
}

extension CopyTask {
  fileprivate var text: String {
    switch self {
    case .range(let table, let range, let version):
      "\(table.name) (\(table.id)) \(range) \(version)"
    case .plan(let table): "plan \(table.name) (\(table.id))"
    case .divide(let table, let range): "divide \(table.name) (\(table.id)) \(range)"
    case .snapshot(let snapshot, let tables):
      "snapshot \(snapshot.position) \(tables.map { "\($0.name) (\($0.id))" })"
    }
  }
}
