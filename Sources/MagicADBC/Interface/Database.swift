import MagicAPI
import Synchronization

/// What an `AdbcDatabase` stands for: a data folder, or a server.
final class Database: OptionHolder, Sendable {
  private struct State {
    var uri: String?
    var username: String?
    var password: String?
    var authorityFile: String?
    var engineLibrary: String?
    var source: ServiceSource?
    var connectionCount = 0
  }

  private let state = Mutex(State())

  /// Opens what the options name.
  func open() throws {
    let options = state.withLock { $0 }
    guard options.source == nil else {
      throw DriverError.invalidState("the database is initialised already")
    }
    guard let uri = options.uri, !uri.isEmpty else {
      throw DriverError.invalidArgument(
        "the option uri is missing: the path of a data folder, or http://HOST:PORT")
    }
    let source =
      if uri.hasPrefix("http://") || uri.hasPrefix("https://") {
        try ServiceSource.remote(
          url: uri, username: options.username, password: options.password,
          authorityFile: options.authorityFile)
      } else {
        try ServiceSource.folder(path(of: uri), engineLibrary: options.engineLibrary)
      }
    state.withLock { $0.source = source }
  }

  /// A data folder's path, which may be written as a URL.
  private func path(of uri: String) throws -> String {
    guard uri.hasPrefix("file:") else { return uri }
    var path = uri.dropFirst("file:".count)
    if path.hasPrefix("//") { path = path.dropFirst(2) }
    guard path.hasPrefix("/"), let decoded = String(path).removingPercentEncoding else {
      throw DriverError.invalidArgument("the URL of a data folder has the form file:///PATH")
    }
    return decoded
  }

  /// Lets go of what is open.
  func close() throws {
    let source = try state.withLock { state in
      guard state.connectionCount == 0 else {
        throw DriverError.invalidState("the database has open connections; release them first")
      }
      return state.source.take()
    }
    try source?.close()
  }

  /// Counts a connection, until ``connectionClosed()``.
  func addConnection() throws -> any MagicService {
    try state.withLock { state in
      guard let source = state.source else {
        throw DriverError.invalidState("the database is not initialised")
      }
      state.connectionCount += 1
      return source.service
    }
  }

  func connectionClosed() { state.withLock { $0.connectionCount -= 1 } }

  func setOption(_ key: String, _ value: OptionValue?) throws {
    let text = try value?.text(key)
    try state.withLock { state in
      guard state.source == nil else {
        throw DriverError.invalidState(
          "the option \(key) cannot be set any more: the database is initialised")
      }
      switch key {
      case "uri": state.uri = text
      case "username": state.username = text
      case "password": state.password = text
      case "magic.tls.ca_file": state.authorityFile = text
      case "magic.engine_library": state.engineLibrary = text
      default: throw DriverError.unknownOption(key)
      }
    }
  }

  func option(_ key: String) throws -> OptionValue? {
    let text = state.withLock { state -> String? in
      switch key {
      case "uri": state.uri
      case "username": state.username
      case "magic.tls.ca_file": state.authorityFile
      case "magic.engine_library": state.engineLibrary
      // The password is for setting only.
      default: nil
      }
    }
    return text.map { .text($0) }
  }
}
