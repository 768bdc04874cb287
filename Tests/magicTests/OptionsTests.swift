import ArgumentParser
import Testing

@testable import magic

@Suite struct OptionsTests {
  @Test(arguments: [
    ("table", "PrettyCompactNoEscapesMonoBlock"), ("csv", "CSVWithNames"),
    ("tsv", "TabSeparatedWithNames"), ("json", "JSONEachRow"), ("arrow", "Arrow"),
    ("ArrowStream", "ArrowStream"), ("arrowstream", "ArrowStream"), ("PARQUET", "Parquet"),
    ("JSONCompactEachRow", "JSONCompactEachRow"),
  ])
  func formatsHaveShortNames(argument: String, engineName: String) throws {
    let command = try SQLCommand.parse(["--data", "d", "--format", argument])
    #expect(command.format?.engineName == engineName)
  }

  @Test(arguments: [
    ["-e", "SELECT 1"], ["--data", "d", "--connect", "http://h"],
    ["--data", "d", "-e", "x", "--file", "f"], ["--data", "d", "--format", "a b"],
  ])
  func contradictionsAreRefused(arguments: [String]) {
    #expect(throws: (any Error).self) { try SQLCommand.parse(arguments) }
  }
}
