import GRPCCore
import NIOHPACK

/// What the headers of a request say.
struct RequestHead: Equatable {
  var method: MethodDescriptor
  var metadata: Metadata
  var timeout: Duration?

  /// Headers of a response without a message: the request is refused.
  struct Refusal: Error, Equatable {
    var headers: HPACKHeaders
  }

  /// The only message encoding that this server knows.
  static let encoding = "identity"

  init(_ headers: HPACKHeaders) throws(Refusal) {
    guard headers.first(name: ":method") == "POST" else {
      throw Refusal(headers: [":status": "405", "allow": "POST"])
    }
    guard let type = headers.first(name: "content-type"), Self.isGRPC(type) else {
      throw Refusal(headers: [":status": "415", "accept-post": "application/grpc"])
    }
    let path = headers.first(name: ":path") ?? ""
    guard let method = Self.method(path: path) else {
      throw .init(.unimplemented, "the path is not of the form /service/method")
    }
    if let encoding = headers.first(name: "grpc-encoding"), encoding != Self.encoding {
      throw .init(
        .unimplemented, "message encoding is not supported: send messages uncompressed")
    }
    self.method = method
    if let text = headers.first(name: "grpc-timeout") {
      guard let timeout = Self.timeout(text) else {
        throw .init(.internalError, "grpc-timeout is not up to eight digits and a unit")
      }
      self.timeout = timeout
    }
    metadata = Metadata()
    for (name, value, _) in headers where Self.isMetadata(name) {
      metadata.addString(value, forKey: name)
    }
  }

  private static func isGRPC(_ type: String) -> Bool {
    let type = type.lowercased()
    guard type.hasPrefix("application/grpc") else { return false }
    let rest = type.dropFirst("application/grpc".count).first
    return rest == nil || rest == "+" || rest == ";"
  }

  private static func method(path: String) -> MethodDescriptor? {
    guard path.first == "/" else { return nil }
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
    return MethodDescriptor(fullyQualifiedService: String(parts[0]), method: String(parts[1]))
  }

  /// Reads up to eight digits and a unit.
  static func timeout(_ text: String) -> Duration? {
    let digits = text.utf8.dropLast()
    guard (1...8).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
      let amount = Int64(text.dropLast())
    else { return nil }
    switch text.last {
    case "H": return .seconds(amount * 3600)
    case "M": return .seconds(amount * 60)
    case "S": return .seconds(amount)
    case "m": return .milliseconds(amount)
    case "u": return .microseconds(amount)
    case "n": return .nanoseconds(amount)
    default: return nil
    }
  }

  /// Whether a header is the caller's, rather than the protocol's.
  private static func isMetadata(_ name: String) -> Bool {
    switch name {
    case "te", "content-type", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding",
      "grpc-message-type":
      false
    default: !name.hasPrefix(":")
    }
  }
}

extension RequestHead.Refusal {
  init(_ code: Status.Code, _ message: String) {
    headers = ResponseHead.trailersOnly(Status(code: code, message: message))
    headers.add(name: "grpc-accept-encoding", value: RequestHead.encoding)
  }
}
