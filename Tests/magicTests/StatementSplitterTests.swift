import Testing

@testable import magic

@Suite struct StatementSplitterTests {
  @Test(arguments: [
    ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
    (";;", [], ""),
    ("SELECT ';'; SELECT 2", ["SELECT ';'"], " SELECT 2"),
    (#"SELECT '\';', 'it''s;'; x"#, [#"SELECT '\';', 'it''s;'"#], " x"),
    ("SELECT `a;b`, \"c;d\";", ["SELECT `a;b`, \"c;d\""], ""),
    ("SELECT 1 -- one; two\n; SELECT 2;", ["SELECT 1 -- one; two\n", "SELECT 2"], ""),
    ("SELECT /* ; */ 1; /* ; */", ["SELECT /* ; */ 1"], " /* ; */"),
    ("# a;b\nSELECT 1;", ["SELECT 1"], ""),
    ("SELECT $$;$$, $t$ $$ ; $t$; 2", ["SELECT $$;$$, $t$ $$ ; $t$"], " 2"),
    ("SELECT '$1'; SELECT $1;", ["SELECT '$1'", "SELECT $1"], ""),
    ("SELECT 'open; ", [], "SELECT 'open; "),
    ("SELECT 'ü;€' AS 🜁; x", ["SELECT 'ü;€' AS 🜁"], " x"),
    ("", [], ""),
  ])
  func splitsWhereTheLexerDoes(text: String, statements: [String], rest: String) {
    let splitter = StatementSplitter(text)
    #expect(splitter.statements == statements)
    #expect(splitter.rest == rest)
  }

  @Test(arguments: [
    ("SELECT 1;  \n\t", true), ("SELECT 1; -- done", true), ("SELECT 1; /* open", true),
    ("SELECT 1; '", false), ("SELECT 1; S", false), ("", true),
  ])
  func tellsWhetherAStatementIsLeftOpen(text: String, isBlank: Bool) {
    #expect(StatementSplitter(text).isRestBlank == isBlank)
  }
}
