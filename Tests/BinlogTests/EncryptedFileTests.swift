import Foundation
import TestSupport
import Testing
import WireFormat

@testable import Binlog

private func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Frames and decodes a file that arrives in chunks.
private func visit(_ bytes: [UInt8], _ keys: BinlogKeys?, chunkSize: Int = 1000) throws -> [Visited]
{
  var framer = EventFramer(file: "bin.1", keys: keys)
  var decoder = BinlogDecoder(file: "bin.1")
  var events: [Visited] = []
  for start in stride(from: 0, to: bytes.count, by: chunkSize) {
    let chunk = bytes.span.bytes.extracting(start..<min(start + chunkSize, bytes.count))
    try framer.push(chunk) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        events.append(Visited(event: decoded, bytes: bytes.withUnsafeBytes { [UInt8]($0) }))
      }
    }
  }
  try framer.finish()
  return events
}

@Suite struct EncryptedFileTests {
  @Test func readsKeyFiles() throws {
    let text = """
      # the keys
      1;000102030405060708090a0b0c0d0e0F

      2 ; 101112131415161718191a1b1c1d1e1f2021222324252627 # of 192 bits
      MySQLReplicationKey_a_1;\(String(repeating: "ab", count: 32))\r
      """
    let keys = try BinlogKeys(keyFile: bytes(text))
    #expect(keys.keys.keys.sorted() == ["1", "2", "MySQLReplicationKey_a_1"])
    #expect(keys.keys["1"] == Array(0...15))
    #expect(keys.keys["2"] == Array(0x10...0x27))
    #expect(keys.keys["MySQLReplicationKey_a_1"] == Array(repeating: 0xAB, count: 32))
    for bad in ["1", "1;", ";00", "1;0g", "1;0001", "1;00;01", "x\n1;zz"] {
      #expect(
        try decodeErrorCode { _ = try BinlogKeys(keyFile: bytes(bad)) } == .malformed, "\(bad)")
    }
    #expect(
      try decodeErrorCode { _ = try BinlogKeys(keyFile: bytes("Salted__1234")) } == .unsupported)
  }

  /// Vectors of NIST SP 800-38A and FIPS 180-4.
  @Test func cipherVectors() throws {
    let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    let plain = hex("6bc1bee22e409f96e93d7e117393172a")
    #expect(encryptAESBlock(plain, key: key) == hex("f3eed1bdb5d2a03c064b5a7e3db181f8"))
    let cbc = hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6")
    #expect(decryptAES(.cbc, key: key, iv: Array(0...15), cbc.span.bytes) == plain)
    let ctr = hex("601ec313775789a5b7a7f504bbf3d228")
    #expect(decryptAES(.ctr, key: key, iv: Array(0xF0...0xFF), ctr.span.bytes) == plain)
    #expect(decryptAES(.ctr, key: [1], iv: Array(0xF0...0xFF), ctr.span.bytes) == nil)
    #expect(decryptAES(.cbc, key: key, iv: Array(0...15), Array(cbc[1...]).span.bytes) == nil)
    #expect(sha512(bytes("abc"))?.prefix(8) == hex("ddaf35a193617aba")[...])
  }

  // MARK: - MariaDB

  private static let keys: [String: [UInt8]] = [
    "1": (0..<32).map { UInt8($0 * 7 & 0xFF) }, "2": Array(repeating: 9, count: 16),
  ]

  private static let statements = """
    CREATE DATABASE d; USE d; CREATE TABLE d.t (a INT PRIMARY KEY, b LONGBLOB);
    INSERT INTO d.t SELECT seq, REPEAT(CHAR(seq), seq) FROM seq_1_to_120;
    UPDATE d.t SET b = REPEAT('y', 100000) WHERE a = 50; DELETE FROM d.t WHERE a > 100;
    FLUSH BINARY LOGS;
    """

  /// The first binlog of a server that ran the statements.
  private static func log(_ options: [String], keyFile: String? = nil) async throws -> [UInt8] {
    let file = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)")
    try (keyFile ?? "").write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    var all = options
    if keyFile != nil {
      all += [
        "--encrypt-binlog", "--plugin-load-add=file_key_management",
        "--file-key-management-filename=\(file.path)",
      ]
    }
    let server = try await MariaDBServer.start(options: all)
    do {
      try await server.sql(statements)
      let log = try [UInt8](
        Data(contentsOf: server.folder.appending(path: "data/mysql-bin.000001")))
      await server.stop()
      return log
    } catch {
      await server.stop()
      throw error
    }
  }

  /// What an event says, without what depends on where and when it was written.
  private func content(_ visited: Visited) -> String? {
    let type = visited.event.header.typeCode
    switch visited.event.body {
    case .rows(let rows): return "\(type) \(visited.bytes[rows.images])"
    case .query(let query): return "\(type) \(query.statement)"
    case .tableMap(let map): return "\(type) \(map.table) \(map.columnTypes)"
    case .rowsQuery(let text): return "\(type) \(text)"
    case .mariadbGTID(let gtid): return "\(type) \(gtid.gtid)"
    case .formatDescription, .xid, .gtidList, .ignorable, .rotate, .stop: return "\(type)"
    default: return nil
    }
  }

  @Test(
    .enabled(if: MariaDBServer.isAvailable),
    arguments: [
      ["--file-key-management-encryption-algorithm=AES_CBC"],
      ["--file-key-management-encryption-algorithm=AES_CTR", "--binlog-checksum=NONE"],
      ["--file-key-management-encryption-algorithm=AES_CBC", "--log-bin-compress=1"],
    ]) func mariadbFiles(_ options: [String]) async throws
  {
    let keyFile = Self.keys.map { id, key in
      "\(id);" + key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }.joined(separator: "\n")
    let keys = try BinlogKeys(keyFile: bytes(keyFile))
    #expect(keys.keys == Self.keys)
    let encrypted = try await Self.log(options, keyFile: keyFile)
    let isCompressed = options.contains("--log-bin-compress=1")
    let plain = try await Self.log(isCompressed ? ["--log-bin-compress=1"] : [])
    let events = try visit(encrypted, keys)
    let expected = try visit(plain, keys)
    #expect(events.count > 15)
    #expect(events.map { content($0) } == expected.map { content($0) })
    #expect(events.allSatisfy { content($0) != nil })
    // Every event ends where the next one begins, but for the one that started the encryption.
    let gaps = zip(events, events.dropFirst()).count { $0.event.end != $1.event.offset }
    #expect(gaps == 1)
    #expect(try visit(encrypted, keys, chunkSize: 17).count == events.count)
    #expect(throws: DecodeError.self) { try visit(encrypted, nil) }
    let lacking = try decodeErrorCode { _ = try visit(encrypted, BinlogKeys(keys: [:])) }
    #expect(lacking == .unsupported)
    let wrong = BinlogKeys(keys: ["1": Array(repeating: 1, count: 32)])
    #expect(try decodeErrorCode { _ = try visit(encrypted, wrong) } == .malformed)
  }

  // MARK: - MySQL

  /// A file as MySQL's documentation of its source describes it. The cipher is its own inverse.
  private func mysqlFile(_ plain: [UInt8], _ masterKey: [UInt8]) throws -> [UInt8] {
    let encryptedPassword = [UInt8](1...32)
    let iv = [UInt8](repeating: 5, count: 16)
    let decrypted = decryptAES(.cbc, key: masterKey, iv: iv, encryptedPassword.span.bytes)
    let password = try #require(decrypted)
    let hash = try #require(sha512(password))
    let start = Array(hash[32..<40]) + [UInt8](repeating: 0, count: 8)
    let stream = decryptAES(.ctr, key: Array(hash[..<32]), iv: start, plain.span.bytes)
    let id = bytes("MySQLReplicationKey_u_1")
    var file: [UInt8] = [0xFD, 0x62, 0x69, 0x6E, 1, 1, UInt8(id.count)]
    file += id
    file += [2] + encryptedPassword
    file += [3] + iv
    file += [UInt8](repeating: 0, count: 512 - file.count)
    file += try #require(stream)
    return file
  }

  @Test func mysqlFiles() throws {
    let masterKey = [UInt8](repeating: 0x42, count: 32)
    let plain: [UInt8] =
      [0xFE, 0x62, 0x69, 0x6E] + Make.formatDescription(checksum: true)
      + (0..<50).flatMap {
        Make.event(16, littleEndian(UInt64($0)), checksum: true)
      }
    let keys = BinlogKeys(keys: ["MySQLReplicationKey_u_1": masterKey])
    let file = try mysqlFile(plain, masterKey)
    let expected = try decodeFile(plain)
    for chunkSize in [1, 3, 16, 100, 511, 512, 513, 600, 10_000] {
      #expect(try visit(file, keys, chunkSize: chunkSize).map(\.event) == expected)
    }
    #expect(try visit(plain, keys).map(\.event) == expected)
    #expect(try decodeErrorCode { _ = try visit(file, nil) } == .unsupported)
    #expect(try decodeErrorCode { _ = try visit(file, BinlogKeys(keys: [:])) } == .unsupported)
    let wrong = BinlogKeys(keys: ["MySQLReplicationKey_u_1": Array(1...32)])
    #expect(try decodeErrorCode { _ = try visit(file, wrong) } == .malformed)
    // A file may end behind its magic number and any event.
    let ends = Set([4] + expected.map { Int($0.end) })
    for length in 1..<file.count {
      let code = try decodeErrorCode { _ = try visit(Array(file[..<length]), keys) }
      #expect(code == (ends.contains(length - 512) ? nil : .truncated), "\(length)")
    }
    var damaged = file
    for (offset, value) in [(4, 2), (5, 9), (6, 0), (5, 0)] as [(Int, UInt8)] {
      damaged = file
      damaged[offset] = value
      #expect(throws: DecodeError.self) { try visit(damaged, keys) }
    }
  }
}
