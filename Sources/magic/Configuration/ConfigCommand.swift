import ArgumentParser

/// `magic config`: the configuration file of `magic serve`.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Check the configuration file of magic serve, or print one to begin with.",
    subcommands: [ConfigCheckCommand.self, ConfigExampleCommand.self])
}

/// `magic config check`.
struct ConfigCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a configuration file without starting anything.",
    discussion: """
      Reads it and what it names: users, certificates, the address of the source. It does not connect \
      to the source, and does not look into the data folder.
      """)

  @Argument(help: "The file.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  func run() throws {
    let arguments = try ConfigurationFile(path: file).arguments(besides: [])
    let serve: ServeCommand
    do {
      serve = try ServeCommand.parse(arguments)
    } catch {
      throw Failure("\(file): \(ServeCommand.message(for: error))")
    }
    try serve.check()
    print("\(file): \(arguments.count) options, all of them right")
  }
}

/// `magic config example`.
struct ConfigExampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "example",
    abstract:
      "Print a configuration file with every option, explained, as it is when it is not given.")

  func run() {
    print(Self.text)
  }

  /// The file. What has no value of its own is a comment.
  static var text: String {
    var lines = [
      "# The configuration of `magic serve --config FILE`. Every option of the command has its key; one that is",
      "# given on the command line goes before the file. Secrets are better in the environment:",
      "# MAGIC_SOURCE_PASSWORD, MAGIC_PASSWORD.",
    ]
    var section: String?
    for option in ServeOption.all {
      if option.sectionTitle != section {
        section = option.sectionTitle
        lines += ["", "## \(section ?? "Logging")"]
      }
      lines += ["", "# " + (option.abstract ?? "")]
      switch (option.defaultValue, option.isOptional) {
      case (_, false): lines.append("\(option.name): /var/lib/magic")
      case (let value?, _): lines.append("#\(option.name): \(value)")
      case (nil, _) where option.isRepeating: lines.append("#\(option.name): []")
      case (nil, _): lines.append("#\(option.name):")
      }
    }
    return lines.joined(separator: "\n")
  }
}
