import Binlog
import MagicCore

extension MagicAPI {
  /// Waits until the published state has some transactions of the source.
  ///
  /// - Parameters:
  ///   - gtids: as the source writes them.
  ///   - timeout: how long at most; nil for the service's limit.
  /// - Throws: ``APIError`` of kind `timedOut` when it does not get them in time.
  func wait(for gtids: String, timeout: Duration?) async throws -> CommitPoint {
    let wanted = try Self.parse(gtids)
    guard !gtids.isEmpty else { throw APIError(.invalid, "there are no GTIDs to wait for") }
    let deadline = ContinuousClock.now + (timeout ?? limits.sourcePatience)
    var seen: String?
    while true {
      let point = database.published
      if let own = point.gtids, own != seen {
        if try Self.parse(own).contains(wanted) { return point }
        seen = own
      }
      guard ContinuousClock.now < deadline else {
        throw APIError(
          .timedOut,
          "the copy does not have \(gtids) yet: it has \(seen ?? "no GTIDs of a source"); wait "
            + "longer, or see whether replication runs")
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private static func parse(_ text: String) throws(APIError) -> SourceGTIDs {
    do {
      return try SourceGTIDs(text)
    } catch {
      throw APIError(
        .invalid,
        "'\(text)' is no GTIDs: write domain-server-sequence,… of MariaDB, or uuid:1-5,… of MySQL")
    }
  }
}
