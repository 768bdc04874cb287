import Foundation
import LatchProtocol
public import Latches
import SwiftProtobuf
import WireFormat

/// The bytes of a journal: a word that tells what it is, and records, each with its length and checksum.
///
/// The first record is a header; the others are batches of changes, of which the first holds everything
/// that there was when the journal was begun.
public enum Journal {
  static let word = Array("MAGICLAT".utf8)
  static let version: UInt32 = 1
  /// The length of a record, its checksum, and the checksum of both.
  static let headByteCount = 12

  /// What a journal tells.
  public struct Contents: Hashable, Sendable {
    var bootID = ""
    public var snapshot = LatchSnapshot()
    /// When the last batch was stored.
    public var time = Duration.zero
    var tokenLimit: UInt64 = 0
    /// Whether everything that was ever written to it is on the disk.
    var isComplete = false
    /// What is wrong behind what could be read; nil where nothing is, or the last record is not whole.
    public var damage: String?
    /// How many bytes of it are whole records.
    var byteCount = 0
  }

  /// The bytes of a record.
  static func record(_ message: some SwiftProtobuf.Message) throws -> [UInt8] {
    let payload: [UInt8] = try message.serializedBytes()
    var bytes: [UInt8] = []
    bytes.reserveCapacity(payload.count + headByteCount)
    withUnsafeBytes(of: UInt32(payload.count).littleEndian) { bytes += $0 }
    withUnsafeBytes(of: crc32(payload.span.bytes).littleEndian) { bytes += $0 }
    withUnsafeBytes(of: crc32(bytes.span.bytes).littleEndian) { bytes += $0 }
    return bytes + payload
  }

  /// Reads a journal. A last record that is not whole was being written when the process ended: it is
  /// left out, because nobody was told of what it says.
  ///
  /// - Throws: ``LatchStoreError`` when it is none, or not even its header can be read.
  public static func read(_ bytes: [UInt8]) throws -> Contents {
    guard bytes.starts(with: word) else { throw LatchStoreError("this is no file of latches") }
    var contents = Contents()
    var offset = word.count
    var isFirst = true
    while offset < bytes.count {
      let rest = bytes[offset...]
      guard rest.count >= headByteCount else { break }
      let head = rest.prefix(headByteCount)
      guard crc32(Array(head.prefix(8)).span.bytes) == number(bytes, offset + 8) else {
        // A file that grew when the machine went down may end in zeros.
        if rest.allSatisfy({ $0 == 0 }) { break }
        contents.damage = "the record at byte \(offset) is damaged: its head is wrong"
        break
      }
      let end = offset + headByteCount + Int(number(bytes, offset))
      guard end <= bytes.count else { break }
      let payload = Array(bytes[(offset + headByteCount)..<end])
      guard crc32(payload.span.bytes) == number(bytes, offset + 4) else {
        if end == bytes.count { break }
        contents.damage = "the record at byte \(offset) is damaged: its checksum is wrong"
        break
      }
      do {
        if isFirst {
          let header = try StoredHeader(serializedBytes: payload)
          guard header.version == version else {
            throw LatchStoreError("it has version \(header.version), and this is \(version)")
          }
          contents.bootID = header.bootID
        } else {
          let batch = try StoredBatch(serializedBytes: payload)
          contents.snapshot.apply(try batch.changes())
          contents.time = .nanoseconds(batch.time)
          contents.tokenLimit = max(contents.tokenLimit, batch.tokenLimit)
          contents.isComplete = batch.isLast
        }
      } catch let error as LatchStoreError {
        throw error
      } catch {
        throw LatchStoreError("the record at byte \(offset) makes no sense: \(error)")
      }
      isFirst = false
      offset = end
    }
    guard !isFirst else { throw LatchStoreError(contents.damage ?? "it has no header") }
    contents.byteCount = offset
    return contents
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * $1) }
  }
}

extension Journal.Contents {
  /// From what a service goes on that finds this.
  ///
  /// - Parameters:
  ///   - bootID: of the machine now.
  ///   - time: now.
  func beginning(bootID: String, at time: Duration, limits: Limits) -> Beginning {
    var snapshot = snapshot
    // What was told of changes that need not be stored, such as requests that wait.
    if snapshot.revision > 0 { snapshot.revision += 1 << 20 }
    if bootID == self.bootID {
      return Beginning(snapshot: snapshot, isSameClock: true)
    }
    if isComplete, damage == nil {
      return Beginning(snapshot: snapshot, isSameClock: false)
    }
    // The machine went down with changes that may not have reached the disk. Who holds something that
    // is not in the file, holds it for no longer than its lease from before. So every session is over,
    // and nothing is granted until all of those leases are over too.
    let spans =
      snapshot.sessions.values.map { max($0.timeToLive + $0.lockDelay, limits.longestEntry) }
      + snapshot.held.values.flatMap { held in
        [held.lingersUntil.map { $0 - self.time }] + held.entries.values.map { $0 - self.time }
      }.compactMap(\.self)
      // Of what is behind the damage, nothing is known.
      + (damage == nil ? [] : [limits.longestLife * 2])
    snapshot.sessions = [:]
    snapshot.held = [:]
    snapshot.lastToken = max(snapshot.lastToken, tokenLimit) + (damage == nil ? 0 : 1 << 40)
    snapshot.revision += 1 << 32
    return Beginning(
      snapshot: snapshot, isSameClock: false, grantsFrom: spans.max().map { time + $0 })
  }
}
