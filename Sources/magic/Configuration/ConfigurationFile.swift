import ArgumentParser
import Foundation
import Yams

/// The file that `magic serve --config` reads: YAML, a key for each option of the command, by its name.
struct ConfigurationFile {
  /// Its options in their order; one that can be repeated may have several values.
  private let options: [(name: String, values: [String])]

  /// Reads a file.
  ///
  /// - Throws: `Failure` that names the file and the line.
  init(path: String) throws {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw Failure("the configuration '\(path)' cannot be read: \(error.localizedDescription)")
    }
    try self.init(text: text, name: path)
  }

  /// Reads the text of a file.
  ///
  /// - Parameter name: what errors call it.
  /// - Throws: `Failure` that names it and the line.
  init(text: String, name: String) throws {
    let root: Node?
    do {
      root = try compose(yaml: text)
    } catch {
      throw Failure("\(name) is no YAML: \(error)")
    }
    guard let root, root.null == nil else {
      options = []
      return
    }
    func failure(_ node: Node, _ reason: String) -> Failure {
      Failure("\(name):\(node.mark?.line ?? 1): \(reason)")
    }
    guard let mapping = root.mapping else {
      throw failure(root, "a configuration has lines like 'http: 127.0.0.1:8123'")
    }
    let known = Dictionary(uniqueKeysWithValues: ServeOption.all.map { ($0.name, $0) })
    options = try mapping.map { key, value in
      let name = key.scalar?.string ?? ""
      guard let option = known[name] else {
        throw failure(
          key,
          "there is no option '\(name)'; there are \(known.keys.sorted().joined(separator: ", "))")
      }
      let nodes = value.sequence.map(Array.init) ?? [value]
      guard nodes.count == 1 || option.isRepeating else {
        throw failure(value, "'\(name)' has one value, not \(nodes.count)")
      }
      return (
        name,
        try nodes.map { node in
          // The word null is one of the values of --zero-dates.
          guard let scalar = node.scalar, !["", "~"].contains(scalar.string) else {
            throw failure(node, "'\(name)' needs a value")
          }
          return scalar.string
        }
      )
    }
  }

  /// The arguments of a command with the options of the file, but for those that are among them already.
  func arguments(besides given: [String]) -> [String] {
    let named = Set(
      given.filter { $0.hasPrefix("--") }.map { $0.dropFirst(2).prefix { $0 != "=" } })
    return options.filter { !named.contains($0.name[...]) }
      .flatMap { option in option.values.map { "--\(option.name)=\($0)" } } + given
  }

  /// The arguments of the process with what the file has that they name by `--config`.
  ///
  /// - Throws: `Failure` when it is wrong.
  static func expand(_ arguments: [String]) throws -> [String] {
    guard arguments.first == ServeCommand.configuration.commandName else { return arguments }
    var given: [String] = []
    var path: String?
    var rest = arguments.dropFirst()
    while let argument = rest.popFirst() {
      if argument == "--config", let next = rest.popFirst() {
        path = next
      } else if argument.hasPrefix("--config=") {
        path = String(argument.dropFirst("--config=".count))
      } else {
        given.append(argument)
      }
    }
    guard let path else { return arguments }
    return [arguments[0]] + (try ConfigurationFile(path: path).arguments(besides: given))
  }
}
