import EtcdClient
import Latches
import Logging
import Testing

@testable import LatchService

/// What is sent to etcd, without one.
@Suite struct EtcdStoreTests {
  private func store() throws -> EtcdStore {
    EtcdStore(
      try #require(EtcdAddress("etcd://127.0.0.1:1/p")), node: "n", address: "n", usesTLS: false,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  private func put(_ byteCount: Int) -> EtcdRequestOp {
    var operation = EtcdRequestOp()
    operation.requestPut.value = .init(repeating: 0, count: byteCount)
    return operation
  }

  @Test func manyChangesAreCutByNumberAndBytes() {
    #expect(EtcdStore.parts(of: []).map(\.count) == [0])
    #expect(
      EtcdStore.parts(of: (0..<250).map { _ in put(10) }).map(\.count) == [100, 100, 50])
    #expect(
      EtcdStore.parts(of: (0..<9).map { _ in put(300 << 10) }).map(\.count) == [3, 3, 3])
    #expect(EtcdStore.parts(of: [put(10), put(3 << 20), put(10)]).map(\.count) == [1, 1, 1])
  }

  @Test func aPartOfABatchFreesNothingTooEarlyAndGivesNothingToTwo() throws {
    func held(_ token: UInt64, lingersUntil: Duration? = nil) -> LatchSnapshot.Held {
      LatchSnapshot.Held(
        grant: Grant(token: token, session: "s\(token)", request: "r", wishes: []),
        lingersUntil: lingersUntil)
    }
    var changes = LatchChanges()
    changes.sessions["s1"] = .some(nil)
    changes.sessions["s9"] = LatchSnapshot.Session(
      owner: "ana", timeToLive: .seconds(1), lockDelay: .zero, deadline: .zero, finished: [])
    changes.held[1] = held(1, lingersUntil: .seconds(9))
    changes.held[2] = .some(nil)
    changes.held[9] = held(9)
    let keys = try store().operations(of: changes, lastToken: 8).map { operation in
      String(
        decoding: operation.requestPut.key + operation.requestDeleteRange.key, as: UTF8.self)
    }
    #expect(
      keys == [
        "p/state/held/1", "p/state/held/2", "p/state/session/s1", "p/state/session/s9",
        "p/state/held/9",
      ])
  }
}
