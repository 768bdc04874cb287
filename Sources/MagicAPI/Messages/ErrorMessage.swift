/// An error: `{"error":{"kind":"notFound","message":"…","engineCode":60}}`.
public struct ErrorMessage: Message {
  /// What is between the brackets.
  public struct Content: Codable, Sendable {
    /// The name of an ``APIError/Kind-swift.enum``.
    public var kind: String
    /// In words.
    public var message: String
    /// The engine's number, when the engine answered.
    public var engineCode: Int?
  }

  public static let members = ["error"]

  /// The error.
  public var error: Content

  /// Tells of an error.
  public init(_ error: APIError) {
    self.error = Content(
      kind: error.kind.rawValue, message: error.message, engineCode: error.engineCode)
  }

  /// The error; of kind `failed` when its kind is not known here.
  public var apiError: APIError {
    APIError(
      APIError.Kind(rawValue: error.kind) ?? .failed, error.message, engineCode: error.engineCode)
  }
}
