import Foundation
import Testing

/// Every order of the steps by which commits are published, settled, kept for snapshots and
/// recovered, while statements read: see `CommitPointModel`.
@Suite struct CommitPointModelTests {
  typealias Scenario = CommitPointModel.Scenario
  typealias Bits = CommitPointModel.Bits

  /// Newer versions of the first key and of the second, and delete marks of both.
  private static let first: Bits = 1 << 2
  private static let second: Bits = 1 << 3
  private static let newerFirst: Bits = 1 << 4
  private static let newerSecond: Bits = 1 << 5
  private static let noFirst: Bits = 1 << 8
  private static let noSecond: Bits = 1 << 9

  @Test func noOrderOfStepsBreaksWhatIsPromised() {
    let isSoak = ProcessInfo.processInfo.environment["MAGIC_SOAK"] != nil
    var taken: Set<String> = []
    var count = 0
    for (name, scenario) in Self.scenarios + (isSoak ? Self.large : []) {
      var explorer = CommitPointExplorer(scenario)
      let outcome = explorer.explore()
      if isSoak { print("\(name): \(explorer.stateCount) states, \(explorer.stepCount) steps") }
      if case .wrong(let problem, let trace) = outcome {
        Issue.record("\(name): \(problem)\n\(trace.joined(separator: "\n"))")
      }
      taken.formUnion(explorer.taken)
      count += explorer.stateCount
    }
    #expect(count > 100_000, "\(count)")
    let missed = Self.steps.subtracting(taken)
    #expect(missed.isEmpty, "\(missed) never happened")
  }

  @Test(arguments: CommitPointModel.Mistake.allCases)
  func everyMistakeIsFound(_ mistake: CommitPointModel.Mistake) {
    var scenario = Self.scenario(showing: mistake)
    scenario.mistake = mistake
    var explorer = CommitPointExplorer(scenario)
    guard case .wrong(_, let trace) = explorer.explore(limit: 1_000_000) else {
      Issue.record("\(mistake) does no harm in \(explorer.stateCount) states")
      return
    }
    #expect(!trace.isEmpty)
  }

  // MARK: What is gone through

  private static let scenarios: [(name: String, scenario: Scenario)] = [
    (
      "a statement, and the end of the process",
      Scenario(writers: [[first, noSecond]], crashCount: 1)
    ),
    ("two writers", Scenario(writers: [[first], [noSecond]])),
    ("writes that fail", Scenario(writers: [[first]], crashCount: 1, mayFail: true)),
    (
      "a snapshot",
      Scenario(writers: [[first, noSecond]], readers: [.atSnapshot], snapshotCount: 1)
    ),
    (
      "a snapshot, and what fails",
      Scenario(
        writers: [[newerFirst]], readers: [], snapshotCount: 1, mayFail: true, isYoung: true)
    ),
    (
      "DROP amid settling",
      Scenario(
        changes: [.drop], readers: [.atSnapshot], snapshotCount: 1, crashCount: 1, isYoung: true)
    ),
    (
      "a big write",
      Scenario(
        changes: [.bigWrite(newerFirst | newerSecond)], crashCount: 1, mayFail: true,
        isYoung: true)
    ),
    ("an ALTER", Scenario(writers: [[first]], changes: [.alter])),
    (
      "an ALTER of young rows at snapshots",
      Scenario(
        changes: [.alter], readers: [.atSnapshot], snapshotCount: 1, pinLimit: 2,
        isYoung: true)
    ),
    (
      "RENAME, CREATE and DROP at snapshots",
      Scenario(
        changes: [.rename, .create, .drop], readers: [.atSnapshot], snapshotCount: 1, pinLimit: 2,
        crashCount: 1, mayFail: true)
    ),
    (
      "DROP and CREATE at snapshots",
      Scenario(
        changes: [.drop, .create], readers: [.atNewest, .atSnapshot], snapshotCount: 1,
        crashCount: 1)
    ),
    (
      "CREATE OR REPLACE at snapshots",
      Scenario(
        changes: [.replace], readers: [.atSnapshot], snapshotCount: 2, pinLimit: 2, crashCount: 1,
        mayFail: true)
    ),
  ]

  /// What takes minutes.
  private static let large: [(name: String, scenario: Scenario)] = [
    (
      "two statements, a snapshot and a write that fails",
      Scenario(
        writers: [[first]], readers: [.atNewest, .atSnapshot], snapshotCount: 1, crashCount: 1,
        mayFail: true)
    ),
    (
      "two writers that fail",
      Scenario(writers: [[first], [noSecond]], mayFail: true)
    ),
    (
      "three writes and a snapshot",
      Scenario(writers: [[first, second, newerFirst]], snapshotCount: 1)
    ),
    (
      "two ends of the process",
      Scenario(writers: [[first, noSecond]], crashCount: 2, mayFail: true)
    ),
    (
      "a write and a RENAME",
      Scenario(
        writers: [[first]], changes: [.rename], readers: [.atSnapshot], snapshotCount: 1,
        crashCount: 1)
    ),
    (
      "two writes, a RENAME and the end of the process",
      Scenario(
        writers: [[first, newerFirst]], changes: [.rename], readers: [], snapshotCount: 1,
        crashCount: 1)
    ),
    (
      "a write and an ALTER that fails",
      Scenario(
        writers: [[first]], changes: [.alter], readers: [.atSnapshot], snapshotCount: 1,
        mayFail: true)
    ),
    (
      "a write, an ALTER and statements of both kinds",
      Scenario(
        writers: [[first]], changes: [.alter], readers: [.atNewest, .atSnapshot], snapshotCount: 1)
    ),
    (
      "a write, DROP and CREATE",
      Scenario(
        writers: [[first]], changes: [.drop, .create], readers: [.atSnapshot], snapshotCount: 1)
    ),
    (
      "DROP and CREATE among statements of both kinds",
      Scenario(
        writers: [[first]], changes: [.drop, .create], readers: [.atNewest, .atSnapshot],
        snapshotCount: 1)
    ),
    (
      "ALTER and DROP among snapshots",
      Scenario(
        changes: [.alter, .drop], readers: [.atSnapshot], snapshotCount: 2, pinLimit: 3,
        isYoung: true)
    ),
    (
      "a big write that fails",
      Scenario(
        writers: [[first]], changes: [.bigWrite(newerFirst | newerSecond)],
        readers: [.atSnapshot], snapshotCount: 1, crashCount: 1, mayFail: true)
    ),
    (
      "a write and CREATE OR REPLACE",
      Scenario(
        writers: [[first]], changes: [.replace], readers: [.atSnapshot], snapshotCount: 1)
    ),
  ]

  /// The smallest that is known to show a mistake.
  private static func scenario(showing mistake: CommitPointModel.Mistake) -> Scenario {
    switch mistake {
    case .settlesWithoutWaitingForStatements, .settlesBeforeCommitsHaveEnded,
      .forgetsFrozenRowsBeforeTheyAreAdded, .addsRowsWithoutMasking, .dropsWithoutMarks,
      .takesMarksBeforeTheViewIsReplaced, .publishesBeforeRows, .publishesBeforeTheViewNamesRows:
      Scenario(writers: [[first]])
    case .settlesWithoutWaitingForSnapshots, .looksForStatementsBeforeSnapshots,
      .removesGenerationsOfEarlierStatements, .removesGenerationsOfSnapshots:
      Scenario(writers: [[first]], readers: [.atSnapshot], snapshotCount: 1)
    case .beginsGenerationsTooLate:
      Scenario(writers: [[first, second, newerFirst]], snapshotCount: 1)
    case .publishesOutOfOrder: Scenario(writers: [[first], [noSecond]])
    case .abandonsBeforeRowsAreTakenBack: Scenario(writers: [[first]], mayFail: true)
    case .altersAmongStatements, .altersAmidCommits:
      Scenario(writers: [[first]], changes: [.alter])
    case .dropsWhatPastViewsHold, .changesAmongStatementsAtSnapshots, .replacesWithoutPreserving:
      Scenario(changes: [.replace], readers: [.atSnapshot], snapshotCount: 1)
    case .dropsPastViewsOfStatements, .dropsPastViewsOfSnapshots,
      .findsPastViewsThatAreBeingDropped, .looksForReadersOfPastViewsInTwoSteps,
      .preservesAfterTheChange, .pinsAmidAChange, .forgetsStatementsOfReleasedSnapshots:
      Scenario(changes: [.rename], readers: [.atSnapshot], snapshotCount: 1, pinLimit: 2)
    case .recoversUnpublishedRows: Scenario(writers: [[first]], crashCount: 1)
    case .recoversUnpublishedGenerations:
      Scenario(changes: [.bigWrite(first)], crashCount: 1)
    case .recoversForgottenRows:
      Scenario(
        writers: [[newerFirst]], changes: [.drop], readers: [], snapshotCount: 1, crashCount: 1,
        endsAfterWrites: true, isYoung: true)
    }
  }

  /// What must have happened somewhere, or the scenarios are worth little.
  private static let steps: Set<String> = [
    "settling goes on in a copy", "the copy becomes a generation", "no settled copy can be made",
    "a past view of a generation is made", "unread generations are left out",
    "settling waits for readers", "settling ends because the table was dropped",
    "nobody reads past views", "a retired table is dropped", "recovery drops a table",
    "a change waits for statements at snapshots", "an ALTER waits for statements",
    "a change fails", "a big write fails", "a write fails when its rows are there",
    "a new table is shown",
  ]
}
