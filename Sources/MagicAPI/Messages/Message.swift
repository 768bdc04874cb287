import Arrow
import FoundationEssentials

/// A JSON object of the Magic API over HTTP, as `docs/http-api.md` describes it.
public protocol Message: Codable, Sendable {
  /// The names of its members: others are refused, because what they ask for would not be done.
  static var members: [String] { get }
}

extension Message {
  /// Decodes a message; nothing at all is an object without members.
  ///
  /// - Throws: ``APIError`` of kind `invalid`, which says what is wrong with the JSON.
  public init(json: some Collection<UInt8>) throws(APIError) {
    let data = json.isEmpty ? Data("{}".utf8) : Data(json)
    do {
      self = try JSONDecoder().decode(ExactMessage<Self>.self, from: data).message
    } catch let error as APIError {
      throw error
    } catch {
      throw APIError(.invalid, Self.describe(error))
    }
  }

  /// The message as JSON.
  public var json: Data {
    // Strings, numbers, and arrays and objects of them can always be encoded, but for numbers that
    // are no numbers, which no message has.
    (try? JSONEncoder().encode(self)) ?? Data("{}".utf8)
  }

  private static func describe(_ error: any Error) -> String {
    switch error {
    case DecodingError.keyNotFound(let key, _): "The JSON member '\(key.stringValue)' is missing"
    case DecodingError.typeMismatch(let type, let context),
      DecodingError.valueNotFound(let type, let context):
      "The JSON member '\(path(context))' must be of type \(type)"
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
      "The JSON member '\(path(context))' is malformed: \(context.debugDescription)"
    default: "The body is not the JSON object that it should be"
    }
  }

  private static func path(_ context: DecodingError.Context) -> String {
    context.codingPath.map(\.stringValue).joined(separator: ".")
  }
}

/// A message that has no members but its own.
public struct ExactMessage<Content: Message>: Decodable {
  /// The message.
  public let message: Content

  /// Decodes a message.
  ///
  /// - Throws: ``APIError`` of kind `invalid` when there is another member.
  public init(from decoder: any Decoder) throws {
    let names = try MemberNames(from: decoder).names
    if let unknown = names.first(where: { !Content.members.contains($0) }) {
      throw APIError(
        .invalid,
        "The JSON member '\(unknown)' is unknown; there are: "
          + Content.members.joined(separator: ", "))
    }
    message = try Content(from: decoder)
  }
}

/// The names of an object's members.
private struct MemberNames: Decodable {
  struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  let names: [String]

  init(from decoder: any Decoder) throws {
    names = try decoder.container(keyedBy: Key.self).allKeys.map(\.stringValue).sorted()
  }
}

/// An Arrow stream in a JSON member: base64, which every Arrow library reads after decoding.
enum StreamText {
  static func encode(_ schema: Schema) -> String {
    var bytes: [UInt8] = []
    let writer = StreamWriter(schema: schema)
    writer.writeSchema(to: &bytes)
    writer.writeEnd(to: &bytes)
    return Data(bytes).base64EncodedString()
  }

  static func encode(_ batch: RecordBatch) throws(APIError) -> String {
    var bytes: [UInt8] = []
    var writer = StreamWriter(schema: batch.schema)
    writer.writeSchema(to: &bytes)
    do throws(ArrowError) {
      try writer.write(batch, to: &bytes)
    } catch {
      throw APIError(.invalid, error.message)
    }
    writer.writeEnd(to: &bytes)
    return Data(bytes).base64EncodedString()
  }

  static func schema(_ text: String, member: String) throws(APIError) -> Schema {
    guard let schema = try read(text, member: member).schema else {
      throw APIError(.invalid, "'\(member)' has no schema")
    }
    return schema
  }

  static func row(_ text: String, member: String) throws(APIError) -> RecordBatch {
    var reader = try read(text, member: member)
    guard let batch = reader.next(), batch.rowCount == 1, reader.next() == nil else {
      throw APIError(.invalid, "'\(member)' must have one row")
    }
    return batch
  }

  private static func read(_ text: String, member: String) throws(APIError) -> StreamReader {
    guard let bytes = Data(base64Encoded: text) else {
      throw APIError(.invalid, "'\(member)' is not base64")
    }
    var reader = StreamReader()
    do {
      try reader.push([UInt8](bytes))
      try reader.finish()
    } catch {
      throw APIError(.invalid, "'\(member)' is not an Arrow stream: \(error)")
    }
    return reader
  }
}
