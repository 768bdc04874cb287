/// A form with files (RFC 7578), as clients send tables along with a statement.
struct MultipartForm {
  /// One field.
  struct Part: Equatable {
    /// The field's name.
    var name: String
    /// Whether it is a file.
    var isFile: Bool
    /// What it holds.
    var content: ArraySlice<UInt8>
  }

  /// The most fields of a form.
  private static let partLimit = 1000

  /// The fields, in their order.
  private(set) var parts: [Part] = []

  /// Takes a form apart.
  ///
  /// - Parameter boundary: what stands between the fields, by the header `Content-Type`.
  /// - Throws: ``MultipartError`` when it is malformed.
  init(_ bytes: [UInt8], boundary: String) throws(MultipartError) {
    let delimiter = Array("\r\n--\(boundary)".utf8)
    // The first delimiter begins the form, without a line break.
    guard bytes.starts(with: delimiter.dropFirst(2)) else { throw MultipartError() }
    var rest = bytes[(delimiter.count - 2)...]
    while !rest.starts(with: Array("--".utf8)) {
      guard rest.starts(with: Array("\r\n".utf8)), parts.count < Self.partLimit else {
        throw MultipartError()
      }
      let part = rest.dropFirst(2)
      guard let end = Self.firstIndex(of: delimiter, in: part) else { throw MultipartError() }
      parts.append(try Self.part(part[..<end]))
      rest = rest[(end + delimiter.count)...]
    }
  }

  /// The boundary that a `Content-Type` names; nil when it is of another kind.
  static func boundary(contentType: String) -> String? {
    let parts = contentType.split(separator: ";").map { part in
      part.drop { $0 == " " }
    }
    guard parts.first?.lowercased() == "multipart/form-data",
      let value = parts.first(where: { $0.lowercased().hasPrefix("boundary=") })?.dropFirst(9)
    else { return nil }
    return value.filter { $0 != "\"" }
  }

  private static func part(_ bytes: ArraySlice<UInt8>) throws(MultipartError) -> Part {
    let separator = Array("\r\n\r\n".utf8)
    // A part may have no headers only if it has no name, which is of no use.
    guard let end = firstIndex(of: separator, in: bytes),
      let head = String(validating: bytes[..<end], as: UTF8.self)
    else { throw MultipartError() }
    let lines = head.split(separator: "\r\n")
    guard
      let disposition = lines.first(where: { $0.lowercased().hasPrefix("content-disposition:") }),
      let name = disposition.firstMatch(of: /[; ]name="([^"]*)"/)
    else { throw MultipartError() }
    return Part(
      name: String(name.1), isFile: disposition.firstMatch(of: /[; ]filename\*?=/) != nil,
      content: bytes[(end + separator.count)...])
  }

  private static func firstIndex(of wanted: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
    guard let first = wanted.first else { return nil }
    var position = bytes.startIndex
    while let found = bytes[position...].firstIndex(of: first) {
      if bytes[found...].starts(with: wanted) { return found }
      position = found + 1
    }
    return nil
  }
}

/// A form that cannot be taken apart.
struct MultipartError: Error {}
