import Binlog
import Testing

@Suite struct XAStatementTests {
  private let name = XAIdentifier(formatID: 7, global: bytes("abc"), branch: [0, 0xFF])

  @Test func printsAndParsesIdentifiers() {
    #expect(name.description == "X'616263',X'00ff',7")
    #expect(XAIdentifier(name.description) == name)
    #expect(
      XAIdentifier("'a b', 'c'") == XAIdentifier(formatID: 1, global: bytes("a b"), branch: [99]))
    #expect(XAIdentifier("x'6A'") == XAIdentifier(formatID: 1, global: bytes("j"), branch: []))
    #expect(
      XAIdentifier("X'',X'',4294967295") == XAIdentifier(formatID: .max, global: [], branch: []))
    for text in [
      "", "X'6'", "X'6g'", "X'61", "a", "X'61',", "X'61',X'',", "X'61',X'',1,", "X'61',X'',-1",
      "X'61',X'',4294967296", "'\(String(repeating: "a", count: 65))'",
    ] { #expect(XAIdentifier(text) == nil, "\(text)") }
  }

  @Test func parsesStatements() {
    let cases: [(String, XAStatement)] = [
      ("XA START \(name)", .start(name)), ("xa begin \(name) ", .start(name)),
      ("XA END \(name)", .end(name)), ("XA PREPARE \(name)", .prepare(name)),
      ("XA COMMIT \(name)", .commit(name, isOnePhase: false)),
      ("XA  COMMIT\t\(name) ONE PHASE", .commit(name, isOnePhase: true)),
      ("XA ROLLBACK \(name)", .rollback(name)),
    ]
    for (text, statement) in cases {
      #expect(QueryEvent(database: "", statementBytes: bytes(text)).xaStatement == statement)
      #expect(statement.identifier == name)
    }
    for text in [
      "", "X", "XA", "XA START", "XA RECOVER", "XA FORGET \(name)", "XAB START \(name)",
      "XA COMMIT \(name) ONE", "XA START \(name) JOIN", "BEGIN",
    ] { #expect(QueryEvent(database: "", statementBytes: bytes(text)).xaStatement == nil) }
  }
}
