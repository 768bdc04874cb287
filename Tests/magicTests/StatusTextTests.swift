import Foundation
import LocalDatabase
import Replication
import Testing

@testable import magic

@Suite struct StatusTextTests {
  @Test func valuesAreAligned() throws {
    let json = """
      {"phase": "streaming", "position": {"file": "binlog.000002", "offset": 1234},
       "timestamp": 1709251199, "isCaughtUp": false, "lagSeconds": 1.26, "pendingBytes": 0,
       "counters": {"transactions": 3, "rowChanges": 9007199254740993, "copiedRows": 7,
        "zeroDates": 2, "invalidTexts": 0},
       "tables": [
        {"name": {"database": "shop", "table": "a"}, "state": "live", "isStored": true},
        {"name": {"database": "shop", "table": "b"}, "state": "stopped", "isStored": true, "reason": "no key",
         "stoppedAt": {"file": "binlog.000002", "offset": 4}}]}
      """
    let status = try JSONDecoder().decode(ReplicationStatus.self, from: Data(json.utf8))
    #expect(
      StatusText.lines(status) == """
        state         streaming, 1.3 s behind
        position      binlog.000002:1234
        committed     2024-02-29 23:59:59 UTC
        transactions  3
        row changes   9007199254740993
        rows copied   7
        zero dates    2 stored as NULL
        tables        shop.a: live
                      shop.b: stopped at binlog.000002:4: no key

        """)
  }

  @Test func emptyDataFolderHasAStatus() throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "magic-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let data = try DataFolder(creating: folder.path(percentEncoded: false))
    let status = try JSONDecoder().decode(
      ReplicationStatus.self, from: offlineStatus(dataFolder: data))
    #expect(StatusText.lines(status).hasPrefix("state         not running\n"))
    #expect(status.tables.isEmpty)
  }
}
