import GRPCCore
import NIOHPACK

/// Writes the headers that begin and end a response.
enum ResponseHead {
  /// What clients take of a status's message, in encoded bytes. They limit all headers together, and
  /// a longer one would turn the error into one about headers.
  static let maximumMessageByteCount = 4096

  /// The headers before the first message.
  static func headers(_ metadata: Metadata) throws(RPCError) -> HPACKHeaders {
    var headers: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]
    try add(metadata, to: &headers)
    return headers
  }

  /// The headers after the last message.
  static func trailers(_ status: Status, _ metadata: Metadata) -> HPACKHeaders {
    var trailers = HPACKHeaders()
    add(status, metadata, to: &trailers)
    return trailers
  }

  /// The headers of a response that has no message.
  static func trailersOnly(_ status: Status, _ metadata: Metadata = Metadata()) -> HPACKHeaders {
    var headers: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]
    add(status, metadata, to: &headers)
    return headers
  }

  private static func add(
    _ status: Status, _ metadata: Metadata, to headers: inout HPACKHeaders
  ) {
    var withMetadata = headers
    do throws(RPCError) {
      add(status, to: &withMetadata)
      try add(metadata, to: &withMetadata)
      headers = withMetadata
    } catch {
      // The call's own status, if it failed, says more than what is wrong with its metadata.
      add(
        status.code == .ok ? Status(code: .internalError, message: error.message) : status,
        to: &headers)
    }
  }

  private static func add(_ status: Status, to headers: inout HPACKHeaders) {
    headers.add(name: "grpc-status", value: "\(status.code.rawValue)")
    if !status.message.isEmpty {
      headers.add(name: "grpc-message", value: percentEncoded(status.message))
    }
  }

  private static func add(_ metadata: Metadata, to headers: inout HPACKHeaders) throws(RPCError) {
    for (key, value) in metadata {
      let name = key.lowercased()
      let text = value.encoded()
      guard isName(name), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
        throw RPCError(
          code: .internalError,
          message: "response metadata must be printable ASCII, or bytes under a name that ends in "
            + "-bin, and leave the protocol's names alone")
      }
      headers.add(name: name, value: text)
    }
  }

  /// Whether metadata may have that name: lower case, and none of the protocol's own.
  private static func isName(_ name: String) -> Bool {
    switch name {
    case "", "content-type", "te", "connection", "keep-alive", "proxy-connection", "upgrade",
      "transfer-encoding", "grpc-status", "grpc-message":
      return false
    default:
      return name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
    }
  }

  /// A message in the form that `grpc-message` has: printable ASCII, the rest as `%` and two digits.
  static func percentEncoded(_ message: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for character in message {
      let start = encoded.count
      for byte in character.utf8 {
        if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
          encoded.append(byte)
        } else {
          encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
      }
      guard encoded.count <= maximumMessageByteCount else {
        encoded.removeSubrange(start...)
        encoded += "...".utf8
        break
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}
