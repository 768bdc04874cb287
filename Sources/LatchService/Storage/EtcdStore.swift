public import EtcdClient
import Foundation
import GRPCCore
public import Latches
public import Logging
import SwiftProtobuf
import Synchronization

/// Keeps latches in an etcd cluster, for several nodes of which one serves.
///
/// The node that serves holds a key with a lease of etcd's. Whatever it stores is stored only while that
/// key is its own, in one transaction with the comparison; and it answers nothing once its lease may be over
/// by its own clock. `docs/latches.md` tells why that is enough.
public final class EtcdStore: LatchStore {
  private struct Term {
    /// The lease, and when the key was made that holds it.
    var lease: Int64
    var keyRevision: Int64
    /// When the lease may be over.
    var end: Duration
    /// What was stored last, and by which revision of etcd.
    var counters: StoredCounters
    var countersRevision: Int64
  }

  private let etcd: EtcdClient
  private let leader: StoredLeader
  private let logger: Logger
  private let term = Mutex<Term?>(nil)

  /// How long a node may be silent before another one takes over.
  private static let leaseSeconds: Int64 = 5
  private static let timeout = Duration.seconds(2)
  /// How many changes etcd takes at once; a server's default limit is 128.
  private static let changesAtOnce = 100
  /// How many bytes of changes it takes at once; a server's default limit is 1.5 MiB.
  private static let bytesAtOnce = 1 << 20

  /// Makes a store in the cluster at `address`.
  ///
  /// `node` is the name of this node; clients and other nodes reach it at `nodeAddress`.
  /// `authorityFile` has the certificates that those of the cluster are signed by, PEM; nil for
  /// those of the system.
  public init(
    _ address: EtcdAddress, node: String, address nodeAddress: String, usesTLS: Bool,
    authorityFile: String? = nil, logger: Logger
  ) {
    etcd = EtcdClient(address, authorityFile: authorityFile)
    self.logger = logger
    var leader = StoredLeader()
    leader.node = node
    leader.address = nodeAddress
    leader.usesTls = usesTLS
    leader.secret = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }
      .joined()
    self.leader = leader
  }

  private func key(_ name: String) -> [UInt8] { Array("\(etcd.address.prefix)/\(name)".utf8) }

  public var isLeading: Bool { term.withLock { $0.map { $0.end > bootTime() } ?? false } }

  public var entryLimit: Duration? { .seconds(10) }

  public nonisolated(nonsending) func sync() async throws {
    // What is stored at all is stored by most members of the cluster.
  }

  // MARK: Taking over

  public func begin(
    _ onFollowing: @Sendable (Leader?) async -> Void
  ) async throws -> Beginning {
    var problem = ""
    while true {
      try Task.checkCancellation()
      do {
        if let found = try await etcd.get(key("leader"), timeout: Self.timeout) {
          let leader = try? StoredLeader(serializedBytes: found.value)
          await onFollowing(
            leader.map { Leader(address: $0.address, secret: $0.secret, usesTLS: $0.usesTls) })
        } else if let beginning = try await takeOver() {
          return beginning
        }
      } catch let error as RPCError {
        // Once, not at each try: what is wrong with a certificate is the cause of the error.
        if problem != "\(error)" { logger.warning("etcd cannot be used: \(error)") }
        problem = "\(error)"
        await onFollowing(nil)
      }
      try await Task.sleep(for: .milliseconds(300))
    }
  }

  /// - Returns: nil when another node was faster.
  private func takeOver() async throws -> Beginning? {
    let start = bootTime()
    let lease = try await etcd.grantLease(seconds: Self.leaseSeconds, timeout: Self.timeout)
    var request = EtcdTxnRequest()
    request.compare = [.created(key("leader"), at: 0)]
    request.success = [.put(key("leader"), try leader.serializedBytes(), lease: lease.id)]
    let response: EtcdTxnResponse
    do {
      response = try await etcd.transact(request, timeout: Self.timeout)
    } catch {
      // It may have been taken all the same; without its lease it goes.
      try? await etcd.revokeLease(lease.id, timeout: Self.timeout)
      throw error
    }
    guard response.succeeded else {
      try? await etcd.revokeLease(lease.id, timeout: Self.timeout)
      return nil
    }
    // Nobody else stores anything from here on.
    do {
      let end = Mutex(start + .seconds(lease.seconds))
      // There may be much to load.
      let renewing = Task { await self.renew(lease.id) { time in end.withLock { $0 = time } } }
      defer { renewing.cancel() }
      let (snapshot, counters, revision) = try await load()
      let new = Term(
        lease: lease.id, keyRevision: response.header.revision, end: end.withLock { $0 },
        counters: counters, countersRevision: revision)
      guard new.end > bootTime() else { return nil }
      term.withLock { $0 = new }
      return Beginning(snapshot: snapshot, isSameClock: false, secret: leader.secret)
    } catch {
      try? await etcd.revokeLease(lease.id, timeout: Self.timeout)
      throw error
    }
  }

  private func renew(_ lease: Int64, _ extend: @Sendable (Duration) -> Void) async {
    while (try? await Task.sleep(for: .seconds(Self.leaseSeconds) / 4)) != nil {
      let start = bootTime()
      guard let seconds = try? await etcd.keepLeaseAlive(lease, timeout: Self.timeout) else {
        continue
      }
      if seconds == 0 { return }
      extend(start + .seconds(seconds))
    }
  }

  private func load() async throws -> (LatchSnapshot, StoredCounters, Int64) {
    var snapshot = LatchSnapshot()
    var counters = StoredCounters()
    var revision: Int64 = 0
    let start = key("state/")
    for found in try await etcd.range(
      from: start, to: start.dropLast() + [UInt8(ascii: "/") + 1], timeout: .seconds(30))
    {
      let name = String(decoding: found.key.dropFirst(start.count), as: UTF8.self)
      do {
        if name == "counters" {
          counters = try StoredCounters(serializedBytes: found.value)
          revision = found.modRevision
        } else if name.hasPrefix("session/") {
          let session = try StoredSession(serializedBytes: found.value)
          snapshot.sessions[session.name] = session.session
        } else if name.hasPrefix("held/") {
          let held = try StoredHeld(serializedBytes: found.value).held()
          snapshot.held[held.grant.token] = held
        }
      } catch {
        throw LatchStoreError("the key \(name) of etcd makes no sense: \(error)")
      }
    }
    snapshot.lastToken = counters.lastToken
    snapshot.revision = counters.revision + 1 << 20
    return (snapshot, counters, revision)
  }

  public func waitUntilDeposed() async throws {
    while let current = term.withLock({ $0 }), current.end > bootTime() {
      let start = bootTime()
      do {
        let seconds = try await etcd.keepLeaseAlive(
          current.lease, timeout: min(Self.timeout, current.end - start))
        if seconds == 0 { break }
        term.withLock { term in
          if term?.lease == current.lease { term?.end = start + .seconds(seconds) }
        }
        try await Task.sleep(for: .seconds(seconds) / 4)
      } catch let error as RPCError {
        logger.warning("etcd does not keep this node's lease alive: \(error.message)")
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    term.withLock { $0 = nil }
  }

  public func end() async {
    let lease = term.withLock { term in
      defer { term = nil }
      return term?.lease
    }
    // Another node takes over at once.
    if let lease { try? await etcd.revokeLease(lease, timeout: .seconds(1)) }
    etcd.close()
  }

  // MARK: Storing

  public nonisolated(nonsending) func write(
    _ changes: LatchChanges, at time: Duration
  ) async throws {
    // Keep-alives need not be known to the next leader, with which every lease has its whole time again;
    // nor requests that are over, of which no late copy reaches another node than the one it was sent to.
    guard let lastToken = term.withLock({ $0?.counters.lastToken }) else { throw DeposedError() }
    let operations = try operations(of: changes, lastToken: lastToken)
    if operations.isEmpty, !changes.isEmpty { return }
    // The changes are those of many calls: the cancellation of one does not end this.
    try await Task {
      for part in Self.parts(of: operations) { try await self.store(part, changes) }
    }.value
  }

  /// What is to be done for some changes, in an order of which any part gives nothing to two and frees
  /// nothing too early: first what stays held in another way, such as for its lock delay; then what is free,
  /// and the sessions that are over; then what is new.
  ///
  /// - Parameter lastToken: of what was held before.
  func operations(of changes: LatchChanges, lastToken: UInt64) throws -> [EtcdRequestOp] {
    var (staying, freed, ended, opened, granted) = (
      [EtcdRequestOp](), [EtcdRequestOp](), [EtcdRequestOp](), [EtcdRequestOp](), [EtcdRequestOp]()
    )
    for (name, session) in changes.sessions {
      let key = key("state/session/\(name)")
      if let session {
        opened.append(.put(key, try StoredSession(name, session).serializedBytes()))
      } else {
        ended.append(.delete(key))
      }
    }
    for (token, held) in changes.held {
      let key = key("state/held/\(token)")
      guard let held else {
        freed.append(.delete(key))
        continue
      }
      let operation = EtcdRequestOp.put(key, try StoredHeld(held).serializedBytes())
      if token > lastToken { granted.append(operation) } else { staying.append(operation) }
    }
    return staying + freed + ended + opened + granted
  }

  /// Some operations as etcd takes them at once; one part at least.
  static func parts(of operations: [EtcdRequestOp]) -> [[EtcdRequestOp]] {
    var parts: [[EtcdRequestOp]] = []
    var part: [EtcdRequestOp] = []
    var byteCount = 0
    for operation in operations {
      let size =
        operation.requestPut.key.count + operation.requestPut.value.count
        + operation.requestDeleteRange.key.count + 32
      if part.count == changesAtOnce || !part.isEmpty && byteCount + size > bytesAtOnce {
        parts.append(part)
        (part, byteCount) = ([], 0)
      }
      part.append(operation)
      byteCount += size
    }
    return parts + [part]
  }

  /// Stores some changes, if this node still serves; again, until that is known.
  private func store(
    _ operations: [EtcdRequestOp], _ changes: LatchChanges
  ) async throws {
    guard let current = term.withLock({ $0 }) else { throw DeposedError() }
    var counters = current.counters
    counters.lastToken = changes.lastToken
    counters.revision = changes.revision
    counters.batch += 1
    var request = EtcdTxnRequest()
    request.compare = [
      .created(key("leader"), at: current.keyRevision),
      .changed(key("state/counters"), at: current.countersRevision),
    ]
    request.success =
      operations + [.put(key("state/counters"), try counters.serializedBytes())]
    request.failure = [.get(key("leader")), .get(key("state/counters"))]
    while true {
      guard isLeading else { throw DeposedError() }
      do {
        let response = try await etcd.transact(request, timeout: Self.timeout)
        var revision = response.header.revision
        if !response.succeeded {
          let found = response.responses.map { $0.responseRange.kvs.first }
          let stored = try? found.last??.value.withUnsafeBytes {
            try StoredCounters(serializedBytes: Array($0))
          }
          // An answer was lost, and what it told was that this is stored.
          guard found.first??.createRevision == current.keyRevision, stored?.batch == counters.batch
          else { throw DeposedError() }
          revision = found.last??.modRevision ?? 0
        }
        term.withLock { term in
          if term?.lease == current.lease {
            term?.counters = counters
            term?.countersRevision = revision
          }
        }
        return
      } catch let error as RPCError where error.isForGood {
        logger.error(
          """
          etcd refuses to store latches, so this node does not serve them any more: \(error.message)
          """)
        await giveUp(current.lease)
        throw DeposedError()
      } catch let error as RPCError {
        logger.warning("etcd does not store latches: \(error.message)")
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  /// Lets another node serve.
  private func giveUp(_ lease: Int64) async {
    term.withLock { term in
      if term?.lease == lease { term = nil }
    }
    try? await etcd.revokeLease(lease, timeout: .seconds(1))
  }
}

extension RPCError {
  /// Whether the same call would fail again: it is too large, or etcd is full.
  fileprivate var isForGood: Bool {
    switch code {
    case .invalidArgument, .outOfRange, .unimplemented, .permissionDenied: true
    // etcd has too much to do at this moment.
    case .resourceExhausted: !message.contains("too many requests")
    default: false
    }
  }
}

extension EtcdCompare {
  /// That a key was made by a revision; 0 where there is none.
  fileprivate static func created(_ key: [UInt8], at revision: Int64) -> EtcdCompare {
    var compare = EtcdCompare()
    compare.target = .create
    compare.key = .init(key)
    compare.createRevision = revision
    return compare
  }

  /// That a key was changed last by a revision; 0 where there is none.
  fileprivate static func changed(_ key: [UInt8], at revision: Int64) -> EtcdCompare {
    var compare = EtcdCompare()
    compare.target = .mod
    compare.key = .init(key)
    compare.modRevision = revision
    return compare
  }
}

extension EtcdRequestOp {
  fileprivate static func put(_ key: [UInt8], _ value: Data, lease: Int64 = 0) -> EtcdRequestOp {
    var operation = EtcdRequestOp()
    operation.requestPut.key = .init(key)
    operation.requestPut.value = value
    operation.requestPut.lease = lease
    return operation
  }

  fileprivate static func delete(_ key: [UInt8]) -> EtcdRequestOp {
    var operation = EtcdRequestOp()
    operation.requestDeleteRange.key = .init(key)
    return operation
  }

  fileprivate static func get(_ key: [UInt8]) -> EtcdRequestOp {
    var operation = EtcdRequestOp()
    operation.requestRange.key = .init(key)
    return operation
  }
}
