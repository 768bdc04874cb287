public import GRPCCore

/// The methods of `magic.latch.v1.Latches`.
public enum LatchMethods {
  /// The service's name.
  public static let service = "magic.latch.v1.Latches"

  /// The trailer in which a call's ``ProtoFailure`` is.
  public static let failureKey = "magic-latch-failure-bin"

  public static let open = method("Open")
  public static let keepAlive = method("KeepAlive")
  public static let close = method("Close")
  public static let acquire = method("Acquire")
  public static let release = method("Release")
  public static let inspect = method("Inspect")
  public static let watch = method("Watch")
  public static let revoke = method("Revoke")
  public static let enter = method("Enter")
  public static let leave = method("Leave")

  private static func method(_ name: String) -> MethodDescriptor {
    MethodDescriptor(fullyQualifiedService: service, method: name)
  }
}

extension RPCError {
  /// An error that programs can tell from others.
  public init(code: Code, message: String, failure: ProtoFailure) {
    var trailer = Metadata()
    if let bytes: [UInt8] = try? failure.serializedBytes() {
      trailer.addBinary(bytes, forKey: LatchMethods.failureKey)
    }
    self.init(code: code, message: message, metadata: trailer)
  }

  /// What the error says to programs; nil where it does not come from the service.
  public var latchFailure: ProtoFailure? {
    guard let bytes = metadata[binaryValues: LatchMethods.failureKey].first(where: { _ in true })
    else { return nil }
    return try? ProtoFailure(serializedBytes: bytes)
  }
}
