import Foundation
import Logging
import MagicAPI
import MySQLSchema
import MySQLSource
import Replication

/// What an operator asks of running replication, as JSON: `POST /magic/v1/writer`.
struct WriterRequest: Codable, Sendable {
  enum Action: String, Codable {
    case pause, resume, interval, recopy, skip
  }

  /// What answers it, below `/magic/v1/`.
  static let route = "writer"

  var action: Action
  /// The table that is to be copied anew or skipped.
  var table: TableName?
  /// The new interval between publications.
  var milliseconds: Int?

  init(_ action: Action, table: TableName? = nil, milliseconds: Int? = nil) {
    self.action = action
    self.table = table
    self.milliseconds = milliseconds
  }

  /// Answers a request in JSON by what `perform` tells.
  static func answer(
    _ json: [UInt8], _ perform: (WriterRequest) async throws -> String
  ) async throws -> [UInt8] {
    let request: WriterRequest
    do {
      request = try JSONDecoder().decode(WriterRequest.self, from: Data(json))
    } catch {
      throw APIError(.invalid, "replication is asked by an action, such as {\"action\":\"pause\"}")
    }
    return Array(try JSONEncoder().encode(["message": try await perform(request)]))
  }

  /// - Returns: what was done.
  func perform(_ replicator: Replicator) async throws -> String {
    do {
      switch action {
      case .pause:
        await replicator.pause()
        return "replication is paused; the source keeps its binlog for as long as it is set to"
      case .resume:
        await replicator.resume()
        return "replication goes on"
      case .interval:
        guard let milliseconds, milliseconds > 0 else {
          throw APIError(.invalid, "the interval is missing: {\"milliseconds\":200}")
        }
        await replicator.setFlushInterval(.milliseconds(milliseconds))
        return "a commit waits at most \(milliseconds) ms from now on, until the process ends"
      case .recopy:
        let table = try named()
        try await replicator.copyAnew(table)
        return "\(table) is copied anew; it is read as it is until then"
      case .skip:
        let table = try named()
        try await replicator.skip(table)
        return "\(table) is not followed any more; `magic writer recopy` takes it up again"
      }
    } catch let error as ReplicationError {
      throw APIError(.invalid, "\(error)")
    }
  }

  private func named() throws -> TableName {
    guard let table else {
      throw APIError(
        .invalid, "the table is missing: {\"table\":{\"database\":\"shop\",\"table\":\"orders\"}}")
    }
    return table
  }
}

extension ServerSource {
  /// Checks the server's settings, and logs what would be better otherwise.
  func checkAndWarn(_ logger: Logger) async throws {
    for warning in try await check() {
      logger.warning("\(warning.message): \(warning.advice)")
    }
  }
}
