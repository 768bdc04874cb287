import Binlog
import Testing

@Suite(.enabled(if: Fixtures.areAvailable)) struct FixtureTests {
  @Test(arguments: Fixtures.binlogs) func decodes(_ path: String) throws {
    let events = try decodeFile(try Fixtures.bytes(path), name: path)
    #expect(events.first?.header.type == .formatDescription)
  }
}
