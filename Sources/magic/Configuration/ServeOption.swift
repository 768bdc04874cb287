import ArgumentParser
import Foundation

/// An option of `magic serve`, as its help describes it.
struct ServeOption: Decodable {
  private struct Name: Decodable {
    var name: String
  }
  private struct Dump: Decodable {
    struct Command: Decodable {
      var arguments: [ServeOption]
    }
    var command: Command
  }

  private var preferredName: Name
  /// The title of the group that it is shown in; nil for none.
  let sectionTitle: String?
  /// What it is for.
  let abstract: String?
  /// What it is when it is not given; nil for nothing.
  let defaultValue: String?
  /// Whether it can be given several times.
  let isRepeating: Bool
  /// Whether it can be left out.
  let isOptional: Bool
  private var kind: String

  /// Its name, without dashes.
  var name: String { preferredName.name }

  /// All of them, but for those that only the command line has.
  static let all: [ServeOption] = {
    let dump = try? JSONDecoder().decode(Dump.self, from: Data(ServeCommand._dumpHelp().utf8))
    return (dump?.command.arguments ?? []).filter { $0.kind == "option" && $0.name != "config" }
  }()
}
