import Foundation
import Logging

/// Writes each message as one JSON object on stderr.
struct JSONLogHandler: LogHandler {
  let label: String
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
    fields["time"] = Date().ISO8601Format(
      .iso8601(timeZone: .gmt, includingFractionalSeconds: true))
    fields["level"] = event.level.rawValue
    fields["logger"] = label
    fields["message"] = "\(event.message)"
    guard var line = try? JSONEncoder.sorted.encode(fields) else { return }
    line.append(UInt8(ascii: "\n"))
    writeAll(Array(line), to: STDERR_FILENO)
  }
}

extension JSONEncoder {
  /// Keys in one order, and slashes as they are.
  fileprivate static var sorted: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}
