/// What follows the part of a result that was sent before its statement failed: the tag that the
/// response's `X-ClickHouse-Exception-Tag` header announced, the error's text and its length.
enum ExceptionBlock {
  /// The longest text that is sent, in bytes: clients keep a block in memory.
  static let maximumMessageByteCount = 16 << 10

  /// A tag that no result can hold but by a chance of one in 26^16.
  static func makeTag() -> String {
    String(decoding: (0..<16).map { _ in UInt8.random(in: 97...122) }, as: UTF8.self)
  }

  static func bytes(message: String, tag: String) -> [UInt8] {
    let message = String(decoding: message.utf8.prefix(maximumMessageByteCount), as: UTF8.self)
    let block =
      "\r\n__exception__\r\n\(tag)\r\n\(message)\r\n\(message.utf8.count) \(tag)\r\n__exception__\r\n"
    return Array(block.utf8)
  }
}
