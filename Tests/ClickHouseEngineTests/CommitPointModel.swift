/// A model of how mutable tables are published, settled, kept for snapshots, altered, dropped and
/// recovered, small enough that every order of its steps can be gone through.
///
/// A step is what nobody can look into: a statement of the engine, a section under a lock, a call
/// of the registry. Rows are versions, of which a scenario has a few; sets of them are bits.
/// Readers change nothing, so one that has resolved its view is taken to read it in every state
/// from then on: it stands for one that reads often, at moments far apart.
struct CommitPointModel {
  /// Versions, storage tables, or statements.
  typealias Bits = UInt16

  // MARK: What is gone through

  /// What is left out or done in another order, to see that it is noticed.
  enum Mistake: CaseIterable {
    case settlesWithoutWaitingForStatements, settlesWithoutWaitingForSnapshots
    case looksForStatementsBeforeSnapshots, settlesBeforeCommitsHaveEnded
    case forgetsFrozenRowsBeforeTheyAreAdded, addsRowsWithoutMasking
    case dropsWithoutMarks, takesMarksBeforeTheViewIsReplaced, dropsWhatPastViewsHold
    case dropsPastViewsOfStatements, dropsPastViewsOfSnapshots, findsPastViewsThatAreBeingDropped
    case looksForReadersOfPastViewsInTwoSteps
    case removesGenerationsOfEarlierStatements, removesGenerationsOfSnapshots
    case beginsGenerationsTooLate
    case publishesBeforeRows, publishesBeforeTheViewNamesRows, publishesOutOfOrder
    case abandonsBeforeRowsAreTakenBack
    case preservesAfterTheChange, changesAmongStatementsAtSnapshots, pinsAmidAChange
    case altersAmongStatements, altersAmidCommits
    case replacesWithoutPreserving, forgetsStatementsOfReleasedSnapshots
    case recoversUnpublishedRows, recoversUnpublishedGenerations, recoversForgottenRows
  }

  /// A change of a table as a whole.
  enum Change {
    /// The table `a` is called `b` from then on.
    case rename
    case drop, create, replace, alter
    /// Many rows, which become a generation.
    case bigWrite(Bits)
  }

  enum Role { case atNewest, atSnapshot }

  struct Scenario {
    /// The rows that each commit of each writer adds.
    var writers: [[Bits]] = []
    var changes: [Change] = []
    var readers: [Role] = [.atNewest]
    /// How many snapshots there are at a time, and in all.
    var snapshotCount = 0
    var pinLimit = 1
    var crashCount = 0
    /// Whether the process ends only after all writes.
    var endsAfterWrites = false
    /// Whether commits and changes may fail.
    var mayFail = false
    /// Whether a version, the third one, is young in the beginning.
    var isYoung = false
    var mistake: Mistake?
  }

  /// The key of every version; those from `firstMark` on are delete marks.
  static let keys: [Bits] = [
    // Version n and n + 2 have the same key.
    0b01_0101_0101, 0b10_1010_1010,
  ]
  static let marks: Bits = 0b11_0000_0000
  /// The versions that are settled in the beginning.
  static let base: Bits = 0b11

  let scenario: Scenario
  init(_ scenario: Scenario) { self.scenario = scenario }

  private func makes(_ mistake: Mistake) -> Bool { scenario.mistake == mistake }

  // MARK: State

  struct Storage: Equatable {
    enum Kind: UInt8 { case none, settled, young, stage }
    var kind = Kind.none
    var owner: UInt8 = 0
    var generation: UInt8 = 0
    /// The first commit point of a settled table; the number of a young one.
    var number: UInt8 = 0
    var shape: UInt8 = 0
    var rows: Bits = 0
    /// The rows that are there more than once.
    var twice: Bits = 0
  }

  struct Branch: Equatable {
    var settled: UInt8
    var from: UInt8
    var youngs: Bits
  }

  struct View: Equatable {
    var owner: UInt8
    var shape: UInt8
    var branches: [Branch]

    var storage: Bits { branches.reduce(0) { $0 | $1.youngs | 1 << Bits($1.settled) } }
  }

  struct Young: Equatable {
    var storage: UInt8
    /// 0 when it has no rows.
    var lastCommit: UInt8 = 0
  }

  struct Generation: Equatable {
    var settled: UInt8
    var number: UInt8
    var from: UInt8
    var youngs: [Young]
    /// The statements that entered before it had a past view.
    var pastMark: Bits?

    var storage: Bits { youngs.reduce(1 << Bits(settled)) { $0 | 1 << Bits($1.storage) } }
  }

  struct Table: Equatable {
    /// 0 and 1; nil for none.
    var name: UInt8?
    var shape: UInt8 = 0
    var generations: [Generation] = []
    var lastCommit: UInt8 = 0
    var lastYoung: UInt8 = 0
    var lastGeneration: UInt8 = 0
    var isRemoved = false
    /// Which process has it.
    var latch: UInt8 = 0
    var settling: UInt8 = 0

    var current: Generation {
      get { generations[generations.count - 1] }
      set { generations[generations.count - 1] = newValue }
    }
    var open: Young {
      get { current.youngs[current.youngs.count - 1] }
      set {
        let last = generations.count - 1
        generations[last].youngs[generations[last].youngs.count - 1] = newValue
      }
    }
    var storage: Bits { generations.reduce(0) { $0 | $1.storage } }
  }

  struct Past: Equatable {
    var number: UInt8
    var name: UInt8
    var lower: UInt8
    var upper: UInt8
    var view: View
    var holds: Bits
    var mark: Bits = 0
    /// Whether it can be found, and whether the engine has it.
    var isListed = false
    var isThere = true
    /// Whether it is being dropped, and cannot be found any more.
    var isGoing = false
  }

  struct Retired: Equatable {
    var storage: UInt8
    var mark: Bits
  }

  /// What a name means.
  struct Meaning: Equatable {
    var owner: UInt8
    var shape: UInt8
  }

  struct Reader: Equatable {
    enum Place: UInt8 { case out, entered, lookedUp, resolved }
    var place = Place.out
    var commit: UInt8 = 0
    var name: UInt8 = 0
    /// What is to be read, at a snapshot.
    var meaning: Meaning?
    /// The number of the past view that it reads.
    var past: UInt8?
    /// Whether there are more past views since it looked for one.
    var isLate = false
    var view: View?
  }

  struct Snapshot: Equatable {
    var commit: UInt8
    var meanings: [Meaning?]
  }

  /// How far a writer, a settler or a change is, and what it goes on with.
  struct Process: Equatable {
    var step: UInt8 = 0
    var next: UInt8 = 0
    var owner: UInt8 = 0
    var commit: UInt8 = 0
    var storage: Bits = 0
    var generation: Generation?
    var isFlagged = false
    var mark: Bits = 0
  }

  struct State: Equatable {
    // On disk.
    var storage: [Storage] = Array(repeating: Storage(), count: 16)
    var views: [View?] = [nil, nil]
    var logged: UInt8 = 1
    // In memory.
    var published: UInt8 = 1
    /// All commits up to it have ended.
    var ended: UInt8 = 1
    var nextCommit: UInt8 = 2
    /// Ended commits after `ended`, and those of them that have something to publish.
    var early: Bits = 0
    var filled: Bits = 0
    var tables: [Table] = [Table(), Table()]
    var past: [Past] = []
    var retired: [Retired] = []
    var readers: [Reader]
    var snapshots: [Snapshot?]
    var pins: UInt8 = 0
    var pinning: UInt8 = 0
    var writers: [Process]
    var settlers: [Process] = [Process(), Process()]
    var change = Process()
    /// Past views that are being dropped.
    var dropping: Bits = 0
    var droppingStep: UInt8 = 0
    /// What is left for recovery to drop; nil when it has not begun.
    var recovering: Bits?
    var isRecovering = false
    var crashes: UInt8 = 0
    // What is right.
    var commits: [UInt8] = Array(repeating: 0, count: 10)
    /// The versions that were written to each table, and those that will never be published.
    var written: [Bits] = [0, 0]
    var lost: Bits = 0
    var meanings: [Meaning?] = [nil, nil]
    /// What names mean once a commit is published.
    var nextMeanings: (commit: UInt8, meanings: [Meaning?])?

    static func == (one: State, other: State) -> Bool { one.code == other.code }
  }

  var initial: State {
    var state = State(
      readers: scenario.readers.map { _ in Reader() },
      snapshots: Array(repeating: nil, count: scenario.snapshotCount),
      writers: scenario.writers.map { _ in Process() })
    state.storage[0] = Storage(kind: .settled, owner: 0, generation: 1, number: 1, rows: Self.base)
    state.storage[1] = Storage(kind: .young, owner: 0, generation: 1, number: 1)
    state.tables[0] = Table(
      name: 0,
      generations: [Generation(settled: 0, number: 1, from: 1, youngs: [Young(storage: 1)])],
      lastCommit: 1, lastYoung: 1, lastGeneration: 1)
    for version in 0..<10 where Self.base & 1 << version != 0 { state.commits[version] = 1 }
    state.written[0] = Self.base
    if scenario.isYoung {
      state.commits[2] = 2
      state.storage[1].rows = 1 << 2
      state.written[0] |= 1 << 2
      state.tables[0].open.lastCommit = 2
      state.tables[0].lastCommit = 2
      (state.logged, state.published, state.ended, state.nextCommit) = (2, 2, 2, 3)
    }
    state.views[0] = Self.view(of: state.tables[0], 0)
    state.meanings[0] = Meaning(owner: 0, shape: 0)
    return state
  }

  // MARK: Rows

  private static func members(_ bits: Bits) -> [Int] {
    var members: [Int] = []
    var rest = bits
    while rest != 0 {
      members.append(rest.trailingZeroBitCount)
      rest &= rest - 1
    }
    return members
  }

  /// All versions of the keys of some.
  private static func sameKeys(_ rows: Bits) -> Bits {
    (rows & keys[0] != 0 ? keys[0] : 0) | (rows & keys[1] != 0 ? keys[1] : 0)
  }

  /// The newest version of each key.
  private static func newest(_ rows: Bits, _ state: State) -> Bits {
    var newest: Bits = 0
    for key in keys where rows & key != 0 {
      var best = -1
      for version in members(rows & key)
      where best < 0 || state.commits[version] >= state.commits[best] { best = version }
      newest |= 1 << Bits(best)
    }
    return newest
  }

  private static func upTo(_ commit: UInt8, _ rows: Bits, _ state: State) -> Bits {
    var visible: Bits = 0
    for version in members(rows) where state.commits[version] <= commit {
      visible |= 1 << Bits(version)
    }
    return visible
  }

  /// What a table has as of a commit point.
  private static func expected(_ owner: UInt8, at commit: UInt8, _ state: State) -> Bits {
    newest(upTo(commit, state.written[Int(owner)] & ~state.lost, state), state) & ~marks
  }

  private static func view(of table: Table, _ owner: UInt8) -> View {
    View(
      owner: owner, shape: table.shape,
      branches: table.generations.map { branch(of: $0) })
  }

  private static func branch(of generation: Generation) -> Branch {
    Branch(
      settled: generation.settled, from: generation.from,
      youngs: generation.youngs.reduce(0) {
        $1.lastCommit > 0 ? $0 | 1 << Bits($1.storage) : $0
      })
  }

  /// What is wrong with what a view gives.
  private func problem(_ view: View, at commit: UInt8, _ state: State) -> String? {
    var rows: Bits = 0
    for (index, branch) in view.branches.enumerated() {
      for name in Self.members(branch.youngs | 1 << Bits(branch.settled))
      where state.storage[name].kind == .none {
        return "storage \(name) is read, and was dropped"
      }
      if index > 0, commit < branch.from { continue }
      if index + 1 < view.branches.count, commit >= view.branches[index + 1].from { continue }
      var young: Bits = 0
      for name in Self.members(branch.youngs) {
        young |= Self.upTo(commit, state.storage[name].rows, state)
      }
      let settled = state.storage[Int(branch.settled)]
      let living = settled.rows & ~Self.sameKeys(young)
      let newest = Self.newest(young, state) & ~Self.marks
      if rows & (living | newest) != 0 || settled.twice & living != 0 { return "a row comes twice" }
      rows |= living | newest
    }
    let expected = Self.expected(view.owner, at: commit, state)
    if rows == expected { return nil }
    return
      "the rows \(Self.members(rows)) are read at \(commit) instead of \(Self.members(expected))"
  }

  /// What is wrong in a state.
  func problem(in state: State) -> String? {
    for reader in state.readers where reader.place == .resolved {
      guard let view = reader.view else { continue }
      if let meaning = reader.meaning {
        if view.owner != meaning.owner { return "another table is read than the snapshot's" }
        if view.shape != meaning.shape { return "another shape is read than the snapshot's" }
      }
      if let problem = problem(view, at: reader.commit, state) { return problem }
    }
    if state.isRecovering, state.recovering != nil {
      for view in state.views {
        if let view, let problem = problem(view, at: state.logged, state) {
          return "after recovery " + problem
        }
      }
      let meanings = Self.meanings(state)
      if meanings != state.meanings, meanings != state.nextMeanings?.meanings {
        return "after recovery names mean something else"
      }
    }
    return nil
  }

  /// Whether everything is done and everybody gone.
  func isFinal(_ state: State) -> Bool {
    guard !state.isRecovering, state.readers.allSatisfy({ $0.place == .out }),
      state.snapshots.allSatisfy({ $0 == nil }), state.change.step == 0,
      Int(state.change.next) == scenario.changes.count,
      state.retired.isEmpty, state.past.isEmpty,
      state.settlers.allSatisfy({ $0.step == 0 })
    else { return false }
    return isWritten(state) && state.tables.allSatisfy { !isDue($0, state) }
  }

  private func isWritten(_ state: State) -> Bool {
    zip(state.writers, scenario.writers).allSatisfy {
      $0.step == 0 && Int($0.next) == $1.count
    }
  }

  /// What is wrong with a final state.
  func leak(in state: State) -> String? {
    for (name, storage) in state.storage.enumerated() where storage.kind != .none {
      let table = state.tables[Int(storage.owner)]
      if table.isRemoved || table.name == nil || table.current.storage & 1 << Bits(name) == 0 {
        return "storage \(name) is left"
      }
    }
    for (owner, table) in state.tables.enumerated() where table.name != nil && !table.isRemoved {
      if table.generations.count > 1 || table.current.youngs.count > 1 {
        return "table \(owner) is not settled"
      }
      if let name = table.name, let view = state.views[Int(name)] {
        if let problem = problem(view, at: state.published, state) { return problem }
      } else {
        return "table \(owner) has no view"
      }
    }
    return nil
  }

  // MARK: The registry

  private func hasStatements(
    _ state: State, from lower: UInt8 = 0, below upper: UInt8 = .max, before mark: Bits = .max
  ) -> Bool {
    for (index, reader) in state.readers.enumerated()
    where reader.place != .out && reader.commit >= lower && reader.commit < upper
      && mark & 1 << Bits(index) != 0
    { return true }
    return false
  }

  private func hasStatementsAtNewest(_ state: State, below commit: UInt8) -> Bool {
    for (index, reader) in state.readers.enumerated()
    where scenario.readers[index] == .atNewest && reader.place != .out && reader.commit < commit {
      return true
    }
    return false
  }

  private func hasStatementsAtSnapshots(_ state: State, before mark: Bits) -> Bool {
    for (index, reader) in state.readers.enumerated()
    where scenario.readers[index] == .atSnapshot && reader.place != .out
      && mark & 1 << Bits(index) != 0
    { return true }
    return false
  }

  /// The statements that have entered: those that leave are taken out of all marks.
  private func mark(_ state: State) -> Bits {
    var mark: Bits = 0
    for (index, reader) in state.readers.enumerated() where reader.place != .out {
      mark |= 1 << Bits(index)
    }
    return mark
  }

  private func leave(_ index: Int, _ state: inout State) {
    state.readers[index] = Reader()
    let others = ~(1 << Bits(index)) as Bits
    for past in state.past.indices { state.past[past].mark &= others }
    for retired in state.retired.indices { state.retired[retired].mark &= others }
    for table in 0..<2 {
      for generation in state.tables[table].generations.indices
      where state.tables[table].generations[generation].pastMark != nil {
        state.tables[table].generations[generation].pastMark! &= others
      }
      state.settlers[table].mark &= others
    }
    state.change.mark &= others
  }

  /// The commit points that snapshots have pinned, or statements at snapshots read.
  private func pinned(_ state: State) -> Bits {
    var commits: Bits = 0
    for case let snapshot? in state.snapshots { commits |= 1 << Bits(snapshot.commit) }
    if makes(.forgetsStatementsOfReleasedSnapshots) { return commits }
    for (index, reader) in state.readers.enumerated()
    where scenario.readers[index] == .atSnapshot && reader.place != .out {
      commits |= 1 << Bits(reader.commit)
    }
    return commits
  }

  private static func range(_ lower: UInt8, _ upper: UInt8) -> Bits {
    upper <= lower ? 0 : (1 << Bits(upper)) &- (1 << Bits(lower))
  }

  // MARK: Commits

  private func hasEnded(_ commit: UInt8, _ state: State) -> Bool {
    state.ended >= commit && (state.logged == state.published || state.published >= commit)
  }

  private func begin(_ state: inout State) -> UInt8 {
    defer { state.nextCommit += 1 }
    return state.nextCommit
  }

  /// A commit has ended, well or not. What can be published is written into the commit log.
  private func end(_ commit: UInt8, isFilled: Bool, _ state: inout State) {
    if makes(.publishesOutOfOrder), isFilled, commit > state.ended {
      state.logged = max(state.logged, commit)
      state.ended = commit
      return
    }
    state.early |= 1 << Bits(commit)
    if isFilled { state.filled |= 1 << Bits(commit) }
    writeLog(&state)
  }

  private func writeLog(_ state: inout State) {
    guard state.logged == state.published else { return }
    var isFilled = false
    while state.early & 1 << Bits(state.ended + 1) != 0 {
      state.ended += 1
      let bit = 1 << Bits(state.ended) as Bits
      if state.filled & bit != 0 { isFilled = true }
      state.early &= ~bit
      state.filled &= ~bit
    }
    if isFilled { state.logged = state.ended }
  }

  private func publish(_ state: inout State) {
    state.published = state.logged
    if let next = state.nextMeanings, next.commit <= state.published {
      state.meanings = next.meanings
      state.nextMeanings = nil
    }
    writeLog(&state)
  }

  // MARK: Storage

  private func make(_ storage: Storage, _ state: inout State) -> UInt8 {
    // A name is not given twice as long as anything has it.
    var used: Bits = 0
    for (name, storage) in state.storage.enumerated() where storage.kind != .none {
      used |= 1 << Bits(name)
    }
    for table in state.tables { used |= table.storage }
    for view in state.views { used |= view?.storage ?? 0 }
    for past in state.past { used |= past.holds | past.view.storage }
    for reader in state.readers { used |= reader.view?.storage ?? 0 }
    for retired in state.retired { used |= 1 << Bits(retired.storage) }
    for process in state.writers + state.settlers + [state.change] {
      used |= process.storage | (process.generation?.storage ?? 0)
    }
    let name = (~used).trailingZeroBitCount
    precondition(name < 16, "the scenario is too large")
    state.storage[name] = storage
    return UInt8(name)
  }

  private func makeYoung(_ owner: Int, generation: UInt8, _ state: inout State) -> Young {
    state.tables[owner].lastYoung += 1
    return Young(
      storage: make(
        Storage(
          kind: .young, owner: UInt8(owner), generation: generation,
          number: state.tables[owner].lastYoung), &state))
  }

  private func retire(_ names: Bits, _ mark: Bits, _ state: inout State) {
    for name in Self.members(names) {
      state.retired.append(Retired(storage: UInt8(name), mark: mark))
    }
  }

  private func drop(_ name: UInt8, _ state: inout State) { state.storage[Int(name)] = Storage() }

  private func mask(_ name: UInt8, _ rows: Bits, _ state: inout State) {
    state.storage[Int(name)].rows &= ~Self.sameKeys(rows)
    state.storage[Int(name)].twice &= ~Self.sameKeys(rows)
  }

  private func add(_ rows: Bits, to name: UInt8, _ state: inout State) {
    state.storage[Int(name)].twice |= state.storage[Int(name)].rows & rows
    state.storage[Int(name)].rows |= rows
  }

  private func rows(of youngs: [Young], _ state: State) -> Bits {
    youngs.reduce(0) { $0 | state.storage[Int($1.storage)].rows }
  }

  private func refreshView(_ owner: Int, _ state: inout State) {
    guard let name = state.tables[owner].name else { return }
    state.views[Int(name)] = Self.view(of: state.tables[owner], UInt8(owner))
  }

  private func isShown(_ owner: Int, _ state: State) -> Bool {
    guard let name = state.tables[owner].name else { return true }
    return state.views[Int(name)] == Self.view(of: state.tables[owner], UInt8(owner))
  }

  // MARK: Generations and past views

  /// The generations but the current one, with the commit points that read them.
  private func oldRanges(_ table: Table) -> [Bits] {
    table.generations.indices.dropLast().map { index in
      Self.range(
        index == 0 ? 0 : table.generations[index].from, table.generations[index + 1].from)
    }
  }

  private func pinnedGeneration(_ table: Table, _ state: State) -> Int? {
    let pinned = pinned(state)
    return oldRanges(table).enumerated().first {
      table.generations[$0.offset].pastMark == nil && $0.element & pinned != 0
    }?.offset
  }

  private func unreadGenerations(_ table: Table, _ state: State) -> [Int] {
    let pinned = pinned(state)
    return oldRanges(table).enumerated().compactMap { index, range in
      let mark = table.generations[index].pastMark
      if mark == nil, pinned & range != 0, !makes(.removesGenerationsOfSnapshots) { return nil }
      for (reader, bit) in zip(state.readers, 0...)
      where reader.place != .out && range & 1 << Bits(reader.commit) != 0
        && (mark ?? .max) & 1 << Bits(bit) != 0
        && !(makes(.removesGenerationsOfEarlierStatements) && mark != nil)
      { return nil }
      return index
    }
  }

  private func makePast(
    _ owner: Int, lower: UInt8, upper: UInt8, holds: Bits, branches: [Branch],
    _ state: inout State
  ) {
    guard let name = state.tables[owner].name else { return }
    let number = (0...).first { number in
      !state.past.contains { $0.number == number } && !state.readers.contains { $0.past == number }
    }
    state.past.append(
      Past(
        number: number ?? 0, name: name, lower: lower, upper: upper,
        view: View(
          owner: UInt8(owner), shape: state.tables[owner].shape, branches: branches),
        holds: holds))
  }

  private func listPast(_ state: inout State) -> Bits {
    let mark = mark(state)
    for index in state.past.indices
    where !state.past[index].isListed && !state.past[index].isGoing {
      state.past[index].isListed = true
      state.past[index].mark = mark
      for reader in state.readers.indices where state.readers[reader].place == .lookedUp {
        state.readers[reader].isLate = true
      }
    }
    return mark
  }

  /// Whether some pinned commit point of a table has no past view.
  private func lacksPast(_ owner: Int, _ state: State) -> Bool {
    Self.members(pinned(state)).contains { commit in
      !state.past.contains {
        $0.isListed && $0.view.owner == owner && $0.lower <= commit && commit < $0.upper
      }
    }
  }

  private func makePast(of owner: Int, _ state: inout State) {
    let table = state.tables[owner]
    makePast(
      owner, lower: 0, upper: state.published + 1, holds: table.storage,
      branches: Self.view(of: table, UInt8(owner)).branches, &state)
  }

  /// The statements that may not know of all past views of a table.
  private func pastMark(of owner: Int, _ state: State) -> Bits {
    state.past.reduce(0) {
      $1.isListed && $1.view.owner == owner ? $0 | $1.mark : $0
    }
  }

  private func pastView(_ name: UInt8, at commit: UInt8, _ state: State) -> Past? {
    var found: Past?
    for past in state.past
    where past.isListed && past.name == name && past.lower <= commit && commit < past.upper {
      if let other = found, other.upper <= past.upper { continue }
      found = past
    }
    return found
  }

  private func isDue(_ table: Table, _ state: State) -> Bool {
    if table.name == nil || table.isRemoved { return false }
    return table.current.youngs.count > 1 || table.open.lastCommit > 0
      || pinnedGeneration(table, state) != nil || !unreadGenerations(table, state).isEmpty
  }

  // MARK: Steps

  struct Step {
    var name: StaticString
    /// Which of several processes takes it.
    var process: Int
    var state: State
  }

  /// Everything that can happen next.
  func steps(from state: State) -> [Step] {
    var steps: [Step] = []
    func step(_ name: StaticString, _ process: Int = 0, _ change: (inout State) -> Void) {
      var next = state
      change(&next)
      steps.append(Step(name: name, process: process, state: next))
    }
    if state.isRecovering {
      recover(state, step)
    } else {
      if state.logged != state.published { step("the commit point is published") { publish(&$0) } }
      for index in state.readers.indices { read(index, state, step) }
      for index in state.snapshots.indices { pin(index, state, step) }
      for index in state.writers.indices { write(index, state, step) }
      for owner in 0..<2 { settle(owner, state, step) }
      change(state, step)
      dropUnused(state, step)
    }
    if state.crashes < scenario.crashCount, !scenario.endsAfterWrites || isWritten(state) {
      step(Self.crash) { self.crash(&$0) }
    }
    return steps
  }

  private typealias Take = (StaticString, Int, (inout State) -> Void) -> Void

  static let crash: StaticString = "the process ends"

  // MARK: Readers

  private func read(_ index: Int, _ state: State, _ step: Take) {
    let reader = state.readers[index]
    switch reader.place {
    case .out:
      if scenario.readers[index] == .atNewest {
        for name in 0..<2 where state.views[name] != nil {
          step("a statement enters", index) {
            $0.readers[index] = Reader(
              place: .entered, commit: state.published, name: UInt8(name))
          }
        }
      } else {
        for case let snapshot? in state.snapshots {
          for (name, meaning) in snapshot.meanings.enumerated() {
            guard let meaning else { continue }
            step("a statement enters at a snapshot", index) {
              $0.readers[index] = Reader(
                place: .entered, commit: snapshot.commit, name: UInt8(name), meaning: meaning)
            }
          }
        }
      }
      return
    case .entered where scenario.readers[index] == .atSnapshot:
      step("a statement looks for a past view", index) {
        $0.readers[index].past = pastView(reader.name, at: reader.commit, $0)?.number
        $0.readers[index].place = .lookedUp
      }
    case .entered, .lookedUp:
      var view = state.views[Int(reader.name)]
      if let past = reader.past {
        view = state.past.first { $0.number == past && $0.isThere }?.view
      }
      if let view {
        step("a statement resolves its view", index) {
          $0.readers[index].view = view
          $0.readers[index].place = .resolved
        }
      } else if reader.meaning != nil {
        step("a statement finds no table", index) {
          if reader.isLate {
            $0.readers[index].place = .entered
            $0.readers[index].past = nil
            $0.readers[index].isLate = false
          } else {
            // It reads what is not there.
            $0.readers[index].view = View(
              owner: 9, shape: 0, branches: [])
            $0.readers[index].place = .resolved
          }
        }
      }
    case .resolved: break
    }
    step("a statement leaves", index) { leave(index, &$0) }
  }

  private func pin(_ index: Int, _ state: State, _ step: Take) {
    if state.snapshots[index] != nil {
      step("a snapshot is released", index) { $0.snapshots[index] = nil }
    } else if state.pins < scenario.pinLimit, state.pinning == 0 || makes(.pinsAmidAChange) {
      step("a snapshot is pinned", index) {
        $0.pins += 1
        $0.snapshots[index] = Snapshot(commit: $0.published, meanings: $0.meanings)
      }
    }
  }

  // MARK: Writers

  private func write(_ index: Int, _ state: State, _ step: Take) {
    let writer = state.writers[index]
    let id = UInt8(index + 1)
    let owner = Int(writer.owner)
    switch writer.step {
    case 0:
      guard Int(writer.next) < scenario.writers[index].count else { return }
      let rows = scenario.writers[index][Int(writer.next)]
      guard let owner = state.tables.firstIndex(where: { $0.name != nil && !$0.isRemoved }) else {
        return step("a write finds no table", index) { $0.writers[index].next += 1 }
      }
      guard state.tables[owner].latch == 0 else { return }
      step("a write begins its commit", index) {
        let commit = begin(&$0)
        $0.tables[owner].open.lastCommit = commit
        $0.tables[owner].lastCommit = commit
        $0.written[owner] |= rows
        for version in Self.members(rows) { $0.commits[version] = commit }
        $0.writers[index].commit = commit
        $0.writers[index].owner = UInt8(owner)
        $0.writers[index].storage = 1 << Bits($0.tables[owner].open.storage)
        if isShown(owner, $0) || makes(.publishesBeforeTheViewNamesRows) {
          $0.writers[index].step = 2
        } else {
          $0.tables[owner].latch = id
          $0.writers[index].step = 1
        }
      }
    case 1:
      step("the view names the young rows", index) {
        refreshView(owner, &$0)
        $0.tables[owner].latch = 0
        $0.writers[index].step = 2
      }
    case 2:
      let rows = scenario.writers[index][Int(writer.next)]
      if makes(.publishesBeforeRows) {
        step("a commit ends", index) {
          end(writer.commit, isFilled: true, &$0)
          $0.writers[index].step = 6
        }
      } else {
        step("rows are added to the young table", index) {
          $0.storage[writer.storage.trailingZeroBitCount].rows |= rows
          $0.writers[index].step = 3
        }
      }
      if scenario.mayFail {
        step("a write fails", index) {
          $0.lost |= rows
          $0.writers[index].step = 4
        }
      }
    case 3:
      step("a commit ends", index) {
        end(writer.commit, isFilled: true, &$0)
        $0.writers[index].step = 5
      }
      if scenario.mayFail {
        step("a write fails when its rows are there", index) {
          let rows = scenario.writers[index][Int(writer.next)]
          $0.lost |= rows
          if makes(.abandonsBeforeRowsAreTakenBack) {
            end(writer.commit, isFilled: false, &$0)
            $0.writers[index].step = 7
          } else {
            $0.storage[writer.storage.trailingZeroBitCount].rows &= ~rows
            $0.writers[index].step = 4
          }
        }
      }
    case 4:
      step("a commit is abandoned", index) {
        end(writer.commit, isFilled: false, &$0)
        $0.writers[index] = Process(next: writer.next + 1)
      }
    case 5:
      guard state.published >= writer.commit else { return }
      step("a write is done", index) {
        if makes(.publishesBeforeTheViewNamesRows) { refreshView(owner, &$0) }
        $0.writers[index] = Process(next: writer.next + 1)
      }
    case 6:
      step("rows are added to the young table", index) {
        $0.storage[writer.storage.trailingZeroBitCount].rows |=
          scenario.writers[index][Int(writer.next)]
        $0.writers[index].step = 5
      }
    default:
      step("rows are taken back", index) {
        $0.storage[writer.storage.trailingZeroBitCount].rows &=
          ~scenario.writers[index][Int(writer.next)]
        $0.writers[index] = Process(next: writer.next + 1)
      }
    }
  }

  // MARK: Settling

  private static let generationLimit = 3

  private func settle(_ owner: Int, _ state: State, _ step: Take) {
    let settler = state.settlers[owner]
    let table = state.tables[owner]
    let id = UInt8(10 + owner)
    func end(_ state: inout State) {
      state.settlers[owner] = Process()
      if state.tables[owner].settling == id { state.tables[owner].settling = 0 }
      if state.tables[owner].latch == id { state.tables[owner].latch = 0 }
      // Nobody asks any more.
      if state.tables[owner].isRemoved { state.tables[owner].generations = [] }
    }
    // What goes on in settled tables does not see that they are dropped.
    let isAmidRows =
      [8, 9].contains(settler.step) && !table.generations.isEmpty
      && Self.members(table.current.storage).allSatisfy { state.storage[$0].kind != .none }
    if settler.step > 0, table.isRemoved, !isAmidRows {
      // Its storage is about to go, or is gone.
      return step("settling ends because the table was dropped", owner) {
        for name in Self.members($0.settlers[owner].storage)
        where $0.storage[name].kind == .stage { drop(UInt8(name), &$0) }
        end(&$0)
      }
    }
    switch settler.step {
    case 0:
      guard isDue(table, state), table.settling == 0, table.latch == 0 else { return }
      step("settling begins", owner) {
        $0.tables[owner].settling = id
        $0.tables[owner].latch = id
        $0.settlers[owner].step = 1
      }
    case 1:
      if let pinned = pinnedGeneration(table, state), !makes(.removesGenerationsOfSnapshots) {
        let generation = table.generations[pinned]
        return step("a past view of a generation is made", owner) {
          makePast(
            owner, lower: pinned == 0 ? 0 : generation.from,
            upper: table.generations[pinned + 1].from, holds: generation.storage,
            branches: [Self.branch(of: generation)], &$0)
          $0.settlers[owner].commit = UInt8(pinned)
          $0.settlers[owner].step = 2
        }
      }
      let unread = unreadGenerations(table, state)
      if unread.isEmpty {
        return step("no generation is unread", owner) {
          $0.tables[owner].latch = 0
          $0.settlers[owner].step = 5
        }
      }
      step("unread generations are left out", owner) {
        var storage: Bits = 0
        for index in unread { storage |= table.generations[index].storage }
        $0.settlers[owner].storage = storage
        $0.settlers[owner].mark = mark($0)
        for index in unread.reversed() { $0.tables[owner].generations.remove(at: index) }
        $0.settlers[owner].step = 3
      }
    case 2:
      step("the past view of a generation can be found", owner) {
        let mark = listPast(&$0)
        $0.tables[owner].generations[Int(settler.commit)].pastMark = mark
        $0.settlers[owner].commit = 0
        $0.settlers[owner].step = 1
      }
    case 3:
      step("the view forgets generations", owner) {
        refreshView(owner, &$0)
        $0.settlers[owner].step = 4
      }
    case 4:
      step("generations are retired", owner) {
        let mark = makes(.takesMarksBeforeTheViewIsReplaced) ? settler.mark : mark($0)
        retire(settler.storage, mark, &$0)
        $0.settlers[owner] = Process(step: 5)
        $0.tables[owner].latch = 0
      }
    case 5:
      if table.current.youngs.count > 1 {
        return step("there is a frozen table", owner) { $0.settlers[owner].step = 6 }
      }
      if table.open.lastCommit == 0 { return step("nothing is young", owner) { end(&$0) } }
      guard table.latch == 0 else { return }
      step("the young table is frozen", owner) {
        let young = makeYoung(owner, generation: table.current.number, &$0)
        $0.tables[owner].current.youngs.append(young)
        $0.settlers[owner].step = 6
      }
    case 6:
      let frozen = table.current.youngs[0]
      guard hasEnded(frozen.lastCommit, state) || makes(.settlesBeforeCommitsHaveEnded) else {
        return
      }
      step("settling looks at snapshots", owner) {
        let isFirst = makes(.looksForStatementsBeforeSnapshots)
        $0.settlers[owner].isFlagged = isFirst ? isRead(table, $0) : isPinned(table, $0)
        $0.settlers[owner].step = 7
      }
    case 7:
      let isFirst = makes(.looksForStatementsBeforeSnapshots)
      if settler.isFlagged || (isFirst ? isPinned(table, state) : isRead(table, state)) {
        step("settling waits for readers", owner) { end(&$0) }
        if table.generations.count < Self.generationLimit {
          step("settling goes on in a copy", owner) {
            $0.settlers[owner] = Process(step: 11)
          }
        }
      } else {
        step("nobody reads before the frozen rows", owner) {
          $0.settlers[owner] = Process(step: 8)
        }
      }
    case 8:
      step("frozen keys are masked", owner) {
        if !makes(.addsRowsWithoutMasking) {
          mask(table.current.settled, rows(of: [table.current.youngs[0]], $0), &$0)
        }
        $0.settlers[owner].step = makes(.forgetsFrozenRowsBeforeTheyAreAdded) ? 10 : 9
      }
    case 9:
      step("frozen rows are added", owner) {
        add(
          Self.newest(rows(of: [table.current.youngs[0]], $0), $0) & ~Self.marks,
          to: table.current.settled, &$0)
        $0.settlers[owner].step = 10
      }
    case 10:
      guard table.latch == 0 else { return }
      step("the view forgets the frozen table", owner) {
        $0.tables[owner].latch = id
        $0.settlers[owner].mark = mark($0)
        let young = $0.tables[owner].current.youngs.removeFirst()
        $0.settlers[owner].storage = 1 << Bits(young.storage)
        refreshView(owner, &$0)
        $0.settlers[owner].step = 14
      }
    case 14:
      step("the frozen table is retired", owner) {
        if makes(.forgetsFrozenRowsBeforeTheyAreAdded) {
          let young = Young(storage: UInt8(settler.storage.trailingZeroBitCount))
          add(
            Self.newest(rows(of: [young], $0), $0) & ~Self.marks, to: table.current.settled, &$0)
        }
        let mark = makes(.takesMarksBeforeTheViewIsReplaced) ? settler.mark : mark($0)
        retire(settler.storage, mark, &$0)
        end(&$0)
      }
    case 11:
      guard table.latch == 0 else { return }
      step("a young table of the next generation is opened", owner) {
        $0.tables[owner].lastGeneration += 1
        let young = makeYoung(owner, generation: $0.tables[owner].lastGeneration, &$0)
        $0.tables[owner].current.youngs.append(young)
        $0.settlers[owner].step = 12
      }
    case 12:
      guard hasEnded(table.lastCommit, state) else { return }
      step("a settled copy is made", owner) {
        let copy = copySettled(owner, Array(table.current.youngs.dropLast()), 0, &$0)
        $0.settlers[owner].storage = 1 << Bits(copy)
        $0.settlers[owner].step = 13
      }
      if scenario.mayFail, table.current.youngs.count < 4 {
        step("no settled copy can be made", owner) { end(&$0) }
      }
    case 13:
      guard table.latch == 0 else { return }
      step("the copy becomes a generation", owner) {
        $0.tables[owner].latch = id
        let frozen = table.current.youngs.dropLast()
        let last = frozen.map(\.lastCommit).max() ?? 0
        let from =
          makes(.beginsGenerationsTooLate) ? $0.published : min(last, $0.published)
        let name = UInt8(settler.storage.trailingZeroBitCount)
        let number = $0.storage[Int(table.open.storage)].generation
        $0.storage[Int(name)].kind = .settled
        $0.storage[Int(name)].generation = number
        $0.storage[Int(name)].number = from
        $0.tables[owner].current.youngs = Array(frozen)
        $0.tables[owner].generations.append(
          Generation(settled: name, number: number, from: from, youngs: [table.open]))
        $0.settlers[owner].step = 15
      }
    default:
      step("the view reads the new generation", owner) {
        refreshView(owner, &$0)
        end(&$0)
      }
    }
  }

  /// The commit points that read the current generation and not all frozen rows.
  private func earlier(_ table: Table) -> Bits {
    let start = table.generations.count > 1 ? table.current.from : 0
    return Self.range(start, max(start, table.current.youngs[0].lastCommit))
  }

  private func isPinned(_ table: Table, _ state: State) -> Bool {
    if makes(.settlesWithoutWaitingForSnapshots) { return false }
    var commits: Bits = 0
    for case let snapshot? in state.snapshots { commits |= 1 << Bits(snapshot.commit) }
    return commits & earlier(table) != 0
  }

  private func isRead(_ table: Table, _ state: State) -> Bool {
    if makes(.settlesWithoutWaitingForStatements) { return false }
    let range = earlier(table)
    return state.readers.contains { $0.place != .out && range & 1 << Bits($0.commit) != 0 }
  }

  /// A copy of the settled rows, with those of young tables and others.
  private func copySettled(
    _ owner: Int, _ youngs: [Young], _ others: Bits, _ state: inout State
  ) -> UInt8 {
    let current = state.storage[Int(state.tables[owner].current.settled)]
    let name = make(
      Storage(
        kind: .stage, owner: UInt8(owner), shape: current.shape, rows: current.rows,
        twice: current.twice), &state)
    let young = rows(of: youngs, state)
    mask(name, young | others, &state)
    add(Self.newest(young, state) & ~Self.sameKeys(others) & ~Self.marks, to: name, &state)
    add(others & ~Self.marks, to: name, &state)
    return name
  }

  // MARK: Changes of tables

  private static let changing: UInt8 = 20

  private func change(_ state: State, _ step: Take) {
    let process = state.change
    guard Int(process.next) < scenario.changes.count else { return }
    let change = scenario.changes[Int(process.next)]
    let owner = Int(process.owner)
    let table = state.tables[owner]
    var isAltering = false
    if case .alter = change { isAltering = true }
    var isReplacing = false
    if case .replace = change { isReplacing = true }
    let isUnprepared = isReplacing && makes(.replacesWithoutPreserving)
    switch process.step {
    case 0:
      if case .create = change {
        return step("storage of a new table is made", 0) {
          makeTable(1, &$0)
          $0.change.step = 30
        }
      }
      guard let owner = state.tables.firstIndex(where: { $0.name == 0 && !$0.isRemoved }) else {
        return step("there is no table to change", 0) { endChange(&$0) }
      }
      step("a change is begun", 0) {
        $0.change.owner = UInt8(owner)
        $0.change.step = 1
        if case .bigWrite = change { $0.change.step = 20 }
        if isReplacing {
          makeTable(1, &$0)
          $0.change.step = isUnprepared ? 4 : 1
        }
      }
    // Before the latches are taken.
    case 1:
      guard table.latch == 0 else { return }
      if pinned(state) != 0, lacksPast(owner, state), !makes(.preservesAfterTheChange) {
        step("a past view is made before the change", 0) {
          $0.tables[owner].latch = Self.changing
          makePast(of: owner, &$0)
          $0.change.step = 2
        }
      } else if isReady(owner, state) {
        if isAltering, !makes(.altersAmongStatements),
          hasStatementsAtNewest(state, below: table.lastCommit)
        {
          return
        }
        step("a change can do without statements that read earlier states", 0) {
          $0.change.step = 4
        }
      }
    case 2:
      step("the past view before the change can be found", 0) {
        _ = listPast(&$0)
        $0.tables[owner].latch = 0
        $0.change.step = 1
      }
    case 4:
      guard table.latch == 0, !isAltering || table.settling == 0 else { return }
      step("a change takes the latches", 0) {
        $0.tables[owner].latch = Self.changing
        if isAltering { $0.tables[owner].settling = Self.changing }
        $0.change.step = 5
      }
    case 5:
      guard hasEnded(table.lastCommit, state) || makes(.altersAmidCommits) else { return }
      guard isAltering else {
        return step("a change has waited for commits", 0) {
          $0.change.step = isUnprepared ? 10 : 6
        }
      }
      if hasStatementsAtNewest(state, below: table.lastCommit), !makes(.altersAmongStatements) {
        return step("an ALTER waits for statements", 0) {
          $0.tables[owner].latch = 0
          $0.tables[owner].settling = 0
          $0.change.step = 1
        }
      }
      step("an altered copy is made", 0) {
        let youngs = table.current.youngs.filter { $0.lastCommit > 0 }
        let copy = copySettled(owner, youngs, 0, &$0)
        $0.storage[Int(copy)].shape += 1
        $0.change.generation = makeGeneration(
          owner, copy, from: min(table.lastCommit, $0.published), &$0)
        $0.change.step = 6
      }
    case 6:
      guard state.pinning == 0 else { return }
      step("no snapshot is pinned from now on", 0) {
        $0.pinning = Self.changing
        if pinned($0) == 0 {
          $0.change.step = 9
        } else if lacksPast(owner, $0) {
          makePast(of: owner, &$0)
          $0.change.step = makes(.preservesAfterTheChange) ? 9 : 7
        } else {
          $0.change.step = 8
        }
      }
    case 7:
      step("the past view can be found", 0) {
        _ = listPast(&$0)
        $0.change.step = 8
      }
    case 8:
      if isReady(owner, state) {
        step("every statement at a snapshot can find the past view", 0) { $0.change.step = 9 }
      } else {
        step("a change waits for statements at snapshots", 0) {
          $0.pinning = 0
          $0.change.step = 6
        }
      }
    case 9:
      step("the commit of a change begins", 0) {
        $0.change.commit = begin(&$0)
        $0.nextMeanings = ($0.change.commit, meanings(after: change, $0))
        $0.change.step = 10
      }
    case 10:
      step("names come to mean something else", 0) {
        $0.change.mark = mark($0)
        switch change {
        case .rename: ($0.views[1], $0.views[0]) = ($0.views[0], nil)
        case .drop: $0.views[0] = nil
        case .replace:
          $0.views[0] = Self.view(of: $0.tables[1], 1)
          if isUnprepared { $0.meanings = meanings(after: change, $0) }
        default:
          $0.change.storage = table.storage
          $0.tables[owner].shape += 1
          $0.tables[owner].generations = [process.generation].compactMap { $0 }
          $0.change.generation = nil
          refreshView(owner, &$0)
        }
        $0.change.step = 11
      }
      if scenario.mayFail, !isUnprepared {
        step("a change fails", 0) {
          retire(process.generation?.storage ?? 0, mark($0), &$0)
          if isReplacing {
            for name in Self.members($0.tables[1].storage) { drop(UInt8(name), &$0) }
            $0.tables[1] = Table()
          }
          $0.nextMeanings = nil
          end(process.commit, isFilled: false, &$0)
          endChange(&$0)
        }
      }
    case 11:
      step("the change is noted, and what it leaves is retired", 0) {
        let mark = makes(.takesMarksBeforeTheViewIsReplaced) ? process.mark : mark($0)
        switch change {
        case .rename: $0.tables[owner].name = 1
        case .drop: remove(owner, mark, &$0)
        case .replace:
          remove(owner, mark, &$0)
          $0.tables[1].name = 0
        default: retire(process.storage, mark, &$0)
        }
        if makes(.preservesAfterTheChange) { _ = listPast(&$0) }
        $0.change.storage = 0
        $0.change.mark = 0
        $0.change.step = 12
        if isUnprepared { endChange(&$0) }
      }
    case 12:
      step("the commit of a change ends", 0) {
        end(process.commit, isFilled: true, &$0)
        $0.change.step = 13
      }
    case 13:
      guard state.published >= process.commit else { return }
      step("a change is done", 0) { endChange(&$0) }
    default: grow(change, state, step)
    }
  }

  /// What takes no commit of its own to change names: a big write, and a new table.
  private func grow(
    _ change: Change, _ state: State, _ step: Take
  ) {
    let process = state.change
    let owner = Int(process.owner)
    let table = state.tables[owner]
    var rows: Bits = 0
    if case .bigWrite(let given) = change { rows = given }
    switch process.step {
    case 20:
      guard table.latch == 0, table.settling == 0 else { return }
      step("a big write takes the latches", 0) {
        $0.tables[owner].latch = Self.changing
        $0.tables[owner].settling = Self.changing
        $0.change.step = 21
      }
    case 21:
      guard hasEnded(table.lastCommit, state) else { return }
      step("a copy with many more rows is made", 0) {
        let youngs = table.current.youngs.filter { $0.lastCommit > 0 }
        $0.change.storage = 1 << Bits(copySettled(owner, youngs, rows, &$0))
        $0.change.step = 22
      }
    case 22:
      step("a big write begins its commit", 0) {
        let commit = begin(&$0)
        let stage = UInt8(process.storage.trailingZeroBitCount)
        let generation = makeGeneration(owner, stage, from: commit, &$0)
        $0.tables[owner].generations.append(generation)
        $0.written[owner] |= rows
        for version in Self.members(rows) { $0.commits[version] = commit }
        $0.change.commit = commit
        $0.change.storage = 0
        $0.change.step = 23
      }
    case 23:
      step("the view names the generation of a big write", 0) {
        refreshView(owner, &$0)
        $0.tables[owner].lastCommit = process.commit
        $0.change.step = 24
      }
    case 24:
      step("the commit of a big write ends", 0) {
        end(process.commit, isFilled: true, &$0)
        $0.change.step = 25
      }
      if scenario.mayFail {
        step("a big write fails", 0) {
          $0.lost |= rows
          let failed = $0.tables[owner].generations.removeLast()
          refreshView(owner, &$0)
          retire(failed.storage, mark($0), &$0)
          end(process.commit, isFilled: false, &$0)
          endChange(&$0)
        }
      }
    case 25:
      guard state.published >= process.commit else { return }
      step("a big write is done", 0) { endChange(&$0) }
    default:
      step("a new table is shown", 0) {
        if $0.views[0] == nil {
          $0.tables[1].name = 0
          refreshView(1, &$0)
          $0.meanings[0] = Meaning(owner: 1, shape: 0)
        } else {
          for name in Self.members($0.tables[1].storage) { drop(UInt8(name), &$0) }
          $0.tables[1] = Table()
        }
        endChange(&$0)
      }
    }
  }

  private func endChange(_ state: inout State) {
    for table in 0..<2 {
      if state.tables[table].latch == Self.changing { state.tables[table].latch = 0 }
      if state.tables[table].settling == Self.changing { state.tables[table].settling = 0 }
    }
    if state.pinning == Self.changing { state.pinning = 0 }
    state.change = Process(next: state.change.next + 1)
  }

  private func isReady(_ owner: Int, _ state: State) -> Bool {
    makes(.changesAmongStatementsAtSnapshots) || pinned(state) == 0
      || !hasStatementsAtSnapshots(state, before: pastMark(of: owner, state))
  }

  private func meanings(after change: Change, _ state: State) -> [Meaning?] {
    switch change {
    case .rename: [nil, state.meanings[0]]
    case .drop: [nil, state.meanings[1]]
    case .replace: [Meaning(owner: 1, shape: 0), state.meanings[1]]
    default:
      state.meanings.map { meaning in
        guard var altered = meaning, altered.owner == state.change.owner else { return meaning }
        altered.shape += 1
        return altered
      }
    }
  }

  private func makeTable(_ owner: Int, _ state: inout State) {
    let settled = make(
      Storage(kind: .settled, owner: UInt8(owner), generation: 1, number: 0), &state)
    let young = makeYoung(owner, generation: 1, &state)
    state.tables[owner].lastGeneration = 1
    state.tables[owner].generations = [
      Generation(settled: settled, number: 1, from: 0, youngs: [young])
    ]
  }

  private func makeGeneration(
    _ owner: Int, _ stage: UInt8, from commit: UInt8, _ state: inout State
  ) -> Generation {
    state.tables[owner].lastGeneration += 1
    let number = state.tables[owner].lastGeneration
    state.storage[Int(stage)].kind = .settled
    state.storage[Int(stage)].generation = number
    state.storage[Int(stage)].number = commit
    let young = makeYoung(owner, generation: number, &state)
    return Generation(settled: stage, number: number, from: commit, youngs: [young])
  }

  private func remove(_ owner: Int, _ mark: Bits, _ state: inout State) {
    state.tables[owner].isRemoved = true
    state.tables[owner].name = nil
    retire(state.tables[owner].storage, mark, &state)
    if state.settlers[owner].step == 0 { state.tables[owner].generations = [] }
  }

  // MARK: What is no longer needed

  private func dropUnused(_ state: State, _ step: Take) {
    func dropping(_ past: Past, _ state: State) -> Bool {
      state.dropping & 1 << Bits(past.number) != 0
    }
    func numbers(_ isUnread: (Past) -> Bool) -> Bits {
      state.past.reduce(0) { $1.isListed && isUnread($1) ? $0 | 1 << Bits($1.number) : $0 }
    }
    func leaveOut(_ unread: Bits, _ state: inout State) {
      state.dropping = unread
      state.droppingStep = unread == 0 ? 0 : 2
      if makes(.findsPastViewsThatAreBeingDropped) { return }
      for past in state.past.indices where dropping(state.past[past], state) {
        state.past[past].isListed = false
        state.past[past].isGoing = true
      }
    }
    switch state.droppingStep {
    case 0:
      if makes(.looksForReadersOfPastViewsInTwoSteps) {
        let unread = numbers { !isRead($0, state) }
        if unread != 0 {
          step("no statement reads past views", 0) {
            $0.dropping = unread
            $0.droppingStep = 1
          }
        }
      } else {
        let unread = numbers { !isRead($0, state) && !isPinned($0, state) }
        if unread != 0 { step("nobody reads past views", 0) { leaveOut(unread, &$0) } }
      }
    case 1:
      let unread = numbers { dropping($0, state) && !isPinned($0, state) }
      return step("no snapshot reads past views", 0) { leaveOut(unread, &$0) }
    case 2:
      return step("past views are dropped", 0) {
        if makes(.findsPastViewsThatAreBeingDropped) {
          for past in $0.past.indices where dropping($0.past[past], $0) {
            $0.past[past].isThere = false
          }
          $0.droppingStep = 3
        } else {
          $0.past.removeAll { $0.isGoing }
          $0.dropping = 0
          $0.droppingStep = 0
        }
      }
    default:
      return step("past views are forgotten", 0) {
        $0.past.removeAll { !$0.isThere }
        $0.dropping = 0
        $0.droppingStep = 0
      }
    }
    var seen: [UInt8] = []
    for retired in state.retired {
      let bit = 1 << Bits(retired.storage) as Bits
      let isHeld = state.past.contains { $0.isListed && $0.holds & bit != 0 }
      if isHeld, !makes(.dropsWhatPastViewsHold) { continue }
      let owner = state.storage[Int(retired.storage)].owner
      if seen.contains(owner) { continue }
      seen.append(owner)
      if retired.mark != 0, !makes(.dropsWithoutMarks) { continue }
      step("a retired table is dropped", Int(retired.storage)) {
        drop(retired.storage, &$0)
        $0.retired.removeAll { $0 == retired }
      }
      break
    }
  }

  private func isPinned(_ past: Past, _ state: State) -> Bool {
    if makes(.dropsPastViewsOfSnapshots) { return false }
    let range = Self.range(past.lower, past.upper)
    return state.snapshots.contains { $0.map { range & 1 << Bits($0.commit) != 0 } ?? false }
  }

  private func isRead(_ past: Past, _ state: State) -> Bool {
    if makes(.dropsPastViewsOfStatements) { return false }
    return hasStatements(state, from: past.lower, below: past.upper)
  }

  // MARK: Crash and recovery

  private func crash(_ state: inout State) {
    var next = initial
    next.storage = state.storage
    next.views = state.views
    next.logged = state.logged
    next.published = state.logged
    next.ended = state.logged
    next.nextCommit = state.logged + 1
    next.crashes = state.crashes + 1
    next.pins = state.pins
    next.commits = state.commits
    next.written = state.written
    next.lost = state.lost
    for version in state.commits.indices where state.commits[version] > state.logged {
      next.lost |= 1 << Bits(version)
    }
    next.meanings = state.meanings
    next.nextMeanings = state.nextMeanings
    next.writers = state.writers.map { Process(next: $0.next + ($0.step == 0 ? 0 : 1)) }
    next.change = Process(next: state.change.next + (state.change.step == 0 ? 0 : 1))
    next.tables = [Table(), Table()]
    next.isRecovering = true
    state = next
  }

  private func recover(_ state: State, _ step: Take) {
    guard let rest = state.recovering else {
      return step("tables are recovered", 0) { state in
        var kept: Bits = 0
        for owner in 0..<2 { kept |= recover(owner, &state) }
        var rest: Bits = 0
        for (name, storage) in state.storage.enumerated()
        where storage.kind != .none && kept & 1 << Bits(name) == 0 { rest |= 1 << Bits(name) }
        state.recovering = rest
      }
    }
    if rest == 0 {
      return step("recovery is done", 0) {
        $0.meanings = Self.meanings($0)
        $0.nextMeanings = nil
        $0.recovering = nil
        $0.isRecovering = false
      }
    }
    for name in Self.members(rest) {
      step("recovery drops a table", name) {
        drop(UInt8(name), &$0)
        $0.recovering = rest & ~(1 << Bits(name))
      }
    }
  }

  private static func meanings(_ state: State) -> [Meaning?] {
    state.views.map { view in view.map { Meaning(owner: $0.owner, shape: $0.shape) } }
  }

  /// The storage that is kept of a table.
  private func recover(_ owner: Int, _ state: inout State) -> Bits {
    guard let name = state.views.firstIndex(where: { $0?.owner == UInt8(owner) }) else { return 0 }
    let named = state.views[name]?.storage ?? 0
    var table = Table(name: UInt8(name), lastCommit: state.logged)
    var newest: Generation?
    for (name, storage) in state.storage.enumerated()
    where storage.owner == owner && storage.kind != .none {
      if storage.kind != .stage {
        table.lastGeneration = max(table.lastGeneration, storage.generation)
      }
      guard storage.kind == .settled, named & 1 << Bits(name) != 0,
        storage.number <= state.logged || makes(.recoversUnpublishedGenerations),
        storage.generation > newest?.number ?? 0
      else { continue }
      newest = Generation(
        settled: UInt8(name), number: storage.generation, from: storage.number, youngs: [])
    }
    guard var generation = newest else { return 0 }
    var youngs: [(number: UInt8, young: Young)] = []
    for (name, storage) in state.storage.enumerated()
    where storage.owner == owner && storage.kind == .young {
      table.lastYoung = max(table.lastYoung, storage.number)
      guard storage.generation >= generation.number,
        named & 1 << Bits(name) != 0 || makes(.recoversForgottenRows)
      else { continue }
      if !makes(.recoversUnpublishedRows) {
        state.storage[name].rows = Self.upTo(state.logged, storage.rows, state)
      }
      if state.storage[name].rows != 0 {
        youngs.append((storage.number, Young(storage: UInt8(name), lastCommit: state.logged)))
      }
    }
    youngs.sort { $0.number < $1.number }
    generation.youngs = youngs.map(\.young)
    table.shape = state.storage[Int(generation.settled)].shape
    table.generations = [generation]
    state.tables[owner] = table
    if youngs.isEmpty {
      let young = makeYoung(owner, generation: generation.number, &state)
      state.tables[owner].current.youngs.append(young)
    }
    refreshView(owner, &state)
    return state.tables[owner].storage
  }
}

// MARK: - Telling states apart

extension CommitPointModel.State {
  /// Two states are the same if their codes are.
  var code: [UInt8] {
    var code: [UInt8] = []
    code.reserveCapacity(400)
    code += [
      logged, published, ended, nextCommit, pins, pinning, crashes, isRecovering ? 1 : 0,
      droppingStep,
    ]
    for bits in [early, filled, dropping, recovering ?? 0xffff, lost, written[0], written[1]] {
      code += Self.code(bits)
    }
    code += commits
    for table in storage {
      if table.kind == .none {
        code.append(0)
        continue
      }
      code += [
        table.kind.rawValue, table.owner, table.generation, table.number, table.shape,
        UInt8(truncatingIfNeeded: table.rows), UInt8(table.rows >> 8),
        UInt8(truncatingIfNeeded: table.twice), UInt8(table.twice >> 8),
      ]
    }
    for view in views { Self.add(view, to: &code) }
    for table in tables {
      code += [
        table.name ?? 9, table.shape, table.lastCommit, table.lastYoung, table.lastGeneration,
        table.isRemoved ? 1 : 0, table.latch, table.settling, UInt8(table.generations.count),
      ]
      for generation in table.generations { Self.add(generation, to: &code) }
    }
    code.append(UInt8(past.count))
    for past in past {
      code += [
        past.number, past.name, past.lower, past.upper, past.isListed ? 1 : 0,
        past.isThere ? 1 : 0, past.isGoing ? 1 : 0,
      ]
      code += Self.code(past.holds) + Self.code(past.mark)
      Self.add(past.view, to: &code)
    }
    code.append(UInt8(retired.count))
    for retired in retired { code += [retired.storage] + Self.code(retired.mark) }
    for reader in readers {
      code.append(reader.place.rawValue)
      if reader.place == .out { continue }
      code += [reader.commit, reader.name, reader.past ?? 99, reader.isLate ? 1 : 0]
      Self.add(reader.meaning, to: &code)
      Self.add(reader.view, to: &code)
    }
    for snapshot in snapshots {
      code.append(snapshot?.commit ?? 99)
      for meaning in snapshot?.meanings ?? [] { Self.add(meaning, to: &code) }
    }
    for process in writers { Self.add(process, to: &code) }
    for process in settlers { Self.add(process, to: &code) }
    Self.add(change, to: &code)
    for meaning in meanings { Self.add(meaning, to: &code) }
    code.append(nextMeanings?.commit ?? 99)
    for meaning in nextMeanings?.meanings ?? [] { Self.add(meaning, to: &code) }
    return code
  }

  private static func code(_ bits: CommitPointModel.Bits) -> [UInt8] {
    [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
  }

  private static func add(_ view: CommitPointModel.View?, to code: inout [UInt8]) {
    guard let view else { return code.append(99) }
    code += [view.owner, view.shape, UInt8(view.branches.count)]
    for branch in view.branches {
      code += [
        branch.settled, branch.from, UInt8(truncatingIfNeeded: branch.youngs),
        UInt8(branch.youngs >> 8),
      ]
    }
  }

  private static func add(_ generation: CommitPointModel.Generation, to code: inout [UInt8]) {
    code += [
      generation.settled, generation.number, generation.from, UInt8(generation.youngs.count),
      generation.pastMark == nil ? 0 : 1,
    ]
    code += Self.code(generation.pastMark ?? 0)
    for young in generation.youngs { code += [young.storage, young.lastCommit] }
  }

  private static func add(_ meaning: CommitPointModel.Meaning?, to code: inout [UInt8]) {
    if let meaning { code += [meaning.owner, meaning.shape] } else { code.append(99) }
  }

  private static func add(_ process: CommitPointModel.Process, to code: inout [UInt8]) {
    code += [
      process.step, process.next, process.owner, process.commit, process.isFlagged ? 1 : 0,
      process.generation == nil ? 0 : 1,
    ]
    if process.step == 0 { return }
    code += Self.code(process.storage) + Self.code(process.mark)
    if let generation = process.generation { Self.add(generation, to: &code) }
  }
}

// MARK: - Going through all

/// Goes through every order of the steps of a model, the shortest first.
struct CommitPointExplorer {
  enum Outcome: Equatable {
    case right
    /// There are more states than were to be gone through.
    case unfinished
    case wrong(String, trace: [String])
  }

  let model: CommitPointModel
  private(set) var stateCount = 0
  private(set) var stepCount = 0
  private(set) var finalCount = 0
  /// How often each step was taken.
  private(set) var taken: Set<String> = []

  init(_ scenario: CommitPointModel.Scenario) { model = CommitPointModel(scenario) }

  private static func key(_ state: CommitPointModel.State) -> Int {
    var hasher = Hasher()
    state.code.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  /// - Parameter limit: how many states are gone through.
  mutating func explore(limit: Int = .max) -> Outcome {
    let initial = model.initial
    var numbers = [Self.key(initial): UInt32(0)]
    var parents: [UInt32] = [0]
    var choices: [UInt8] = [0]
    var frontier: [(number: UInt32, state: CommitPointModel.State)] = [(0, initial)]
    // Steps from where to where, and where everything is done.
    var froms: [UInt32] = []
    var tos: [UInt32] = []
    var finals: [UInt32] = []
    var names: Set<UnsafeRawPointer> = []
    while !frontier.isEmpty {
      var next: [(number: UInt32, state: CommitPointModel.State)] = []
      for (number, state) in frontier {
        if let problem = model.problem(in: state) {
          return .wrong(problem, trace: trace(number, parents, choices))
        }
        if model.isFinal(state) {
          if let leak = model.leak(in: state) {
            return .wrong(leak, trace: trace(number, parents, choices))
          }
          finals.append(number)
        }
        for (choice, step) in model.steps(from: state).enumerated() {
          stepCount += 1
          if names.insert(step.name.utf8Start).inserted { taken.insert("\(step.name)") }
          let key = Self.key(step.state)
          let known = numbers[key]
          let target = known ?? UInt32(parents.count)
          if step.name.utf8Start != CommitPointModel.crash.utf8Start {
            froms.append(number)
            tos.append(target)
          }
          if known != nil { continue }
          numbers[key] = target
          parents.append(number)
          choices.append(UInt8(choice))
          next.append((target, step.state))
        }
      }
      stateCount = parents.count
      if stateCount > limit { return .unfinished }
      frontier = next
    }
    finalCount = finals.count
    if let stuck = stuck(parents.count, froms, tos, finals) {
      return .wrong(
        "nothing can bring everything to its end", trace: trace(stuck, parents, choices))
    }
    return .right
  }

  /// The first state from which no final one can be reached without a crash.
  private func stuck(
    _ count: Int, _ froms: [UInt32], _ tos: [UInt32], _ finals: [UInt32]
  ) -> UInt32? {
    // The steps by where they lead.
    var starts = [Int](repeating: 0, count: count + 1)
    for target in tos { starts[Int(target) + 1] += 1 }
    for index in 0..<count { starts[index + 1] += starts[index] }
    var places = starts
    var sources = [UInt32](repeating: 0, count: froms.count)
    for (index, target) in tos.enumerated() {
      sources[places[Int(target)]] = froms[index]
      places[Int(target)] += 1
    }
    var isReached = [Bool](repeating: false, count: count)
    var rest = finals
    for final in finals { isReached[Int(final)] = true }
    while let state = rest.popLast() {
      for index in starts[Int(state)]..<starts[Int(state) + 1]
      where !isReached[Int(sources[index])] {
        isReached[Int(sources[index])] = true
        rest.append(sources[index])
      }
    }
    return isReached.firstIndex(of: false).map(UInt32.init)
  }

  private func trace(_ number: UInt32, _ parents: [UInt32], _ choices: [UInt8]) -> [String] {
    var path: [UInt8] = []
    var number = number
    while number != 0 {
      path.append(choices[Int(number)])
      number = parents[Int(number)]
    }
    var state = model.initial
    return path.reversed().map { choice in
      let step = model.steps(from: state)[Int(choice)]
      state = step.state
      return step.process == 0 ? "\(step.name)" : "\(step.name) (\(step.process))"
    }
  }
}
