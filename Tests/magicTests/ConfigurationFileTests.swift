import ArgumentParser
import Testing

@testable import magic

@Suite struct ConfigurationFileTests {
  private func arguments(_ text: String, besides given: [String] = []) throws -> [String] {
    try ConfigurationFile(text: text, name: "magic.yaml").arguments(besides: given)
  }

  private func failure(_ text: String) -> String {
    do {
      _ = try arguments(text)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  @Test func `Each key is an option`() throws {
    let text = """
      # Where it is.
      data: /data
      http: 0.0.0.0:80
      max-statements: 7
      include: [shop.*, 'crm.*']
      verify: 24h
      """
    #expect(
      try arguments(text) == [
        "--data=/data", "--http=0.0.0.0:80", "--max-statements=7", "--include=shop.*",
        "--include=crm.*", "--verify=24h",
      ])
    let serve = try ServeCommand.parse(try arguments(text))
    #expect(serve.data.path == "/data")
    #expect(serve.http.port == 80)
    #expect(serve.writer.selection.include == ["shop.*", "crm.*"])
  }

  @Test func `Options of the command line go before it`() throws {
    let text = "data: /data\ninclude: [a.*, b.*]\nhttp: none"
    #expect(
      try arguments(text, besides: ["--include", "c.*", "--http=127.0.0.1:1"])
        == ["--data=/data", "--include", "c.*", "--http=127.0.0.1:1"])
  }

  @Test func `A file with nothing is right`() throws {
    #expect(try arguments("# nothing yet\n").isEmpty)
    #expect(try arguments("").isEmpty)
  }

  @Test func `Errors name the file and the line`() {
    #expect(
      failure("data: x\nhtpt: none").hasPrefix("magic.yaml:2: there is no option 'htpt'; there are")
    )
    #expect(failure("data: x\nhttp: [a, b]") == "magic.yaml:2: 'http' has one value, not 2")
    #expect(failure("data:") == "magic.yaml:1: 'data' needs a value")
    #expect(failure("data: {a: b}") == "magic.yaml:1: 'data' needs a value")
    #expect(failure("- data").hasPrefix("magic.yaml:1: a configuration has lines like"))
    #expect(failure("data: [").hasPrefix("magic.yaml is no YAML"))
    #expect(failure("config: x").hasPrefix("magic.yaml:1: there is no option 'config'"))
    #expect(failure("help: x").hasPrefix("magic.yaml:1: there is no option 'help'"))
  }

  @Test func `The example has every option and is right`() throws {
    let text = ConfigExampleCommand.text
    #expect(try arguments(text) == ["--data=/var/lib/magic"])
    for option in ServeOption.all {
      #expect(text.contains("\n#\(option.name):") || text.contains("\n\(option.name):"))
      #expect(option.abstract?.isEmpty == false)
    }
    #expect(ServeOption.all.count > 25)
    // What stands there as the value of an option is what it has without one.
    let values = text.split(separator: "\n").filter { $0.hasPrefix("#") && !$0.hasPrefix("# ") }
      .filter { !$0.hasSuffix(":") && !$0.hasSuffix("[]") && !$0.hasPrefix("##") }
      .map { String($0.dropFirst()) }
    let serve = try ServeCommand.parse(
      try arguments("data: x\n" + values.joined(separator: "\n")))
    #expect(serve.http.port == 8123)
  }

  @Test func `The command line names the file`() throws {
    #expect(try ConfigurationFile.expand(["sql", "--config", "x"]) == ["sql", "--config", "x"])
    #expect(throws: Failure.self) {
      try ConfigurationFile.expand(["serve", "--config", "/nonexistent/magic.yaml"])
    }
  }
}
