import ArgumentParser
import MagicAPI

/// What all callers together may take.
struct LimitOptions: ParsableArguments {
  @Option(
    help: "The memory of all statements together, such as 4GiB (default: 60 % of the machine's).")
  var memoryLimit: ByteCount?

  @Option(help: "The memory of one statement (default: half of --memory-limit).")
  var statementMemory: ByteCount?

  @Option(help: "How many statements run at a time; others wait.")
  var maxStatements = 100

  @Option(help: "How long a statement may run, such as 30s or 5m (default: for ever).")
  var statementTimeout: Interval?

  @Option(help: "The most rows of a result (default: any number).")
  var maxResultRows: Int?

  @Option(help: "The most bytes of a result, such as 1GiB (default: any number).")
  var maxResultBytes: ByteCount?

  @Option(help: "How long a transaction lasts without being used.")
  var transactionTimeout = Interval(milliseconds: 300_000)

  @Option(help: "How much of the disk is kept free: nothing is written when less is.")
  var diskReserve = ByteCount(bytes: 1 << 30)

  @Option(help: "How long running statements may go on after a signal to stop.")
  var shutdownGrace = Interval(milliseconds: 10_000)

  func validate() throws {
    guard maxStatements > 0 else { throw ValidationError("--max-statements is at least 1.") }
    if let rows = maxResultRows, rows < 1 {
      throw ValidationError("--max-result-rows is at least 1.")
    }
    if let bytes = maxResultBytes?.bytes, bytes < 1 {
      throw ValidationError("--max-result-bytes is at least 1.")
    }
    for (flag, size) in [("--memory-limit", memoryLimit), ("--statement-memory", statementMemory)] {
      if let size, size.bytes < 1 << 20 { throw ValidationError("\(flag) is at least 1MiB.") }
    }
  }

  /// The limits that the options give.
  func makeLimits() -> MagicAPI.Limits {
    var limits = MagicAPI.Limits()
    if let memoryLimit {
      limits.totalByteCount = memoryLimit.bytes
      limits.statementByteCount = memoryLimit.bytes / 2
    }
    if let statementMemory { limits.statementByteCount = statementMemory.bytes }
    limits.statementCount = maxStatements
    limits.statementDuration = statementTimeout?.duration
    limits.resultRowCount = maxResultRows
    limits.resultByteCount = maxResultBytes?.bytes
    limits.transactionLifetime = transactionTimeout.duration
    limits.shutdownGrace = shutdownGrace.duration
    return limits
  }
}
