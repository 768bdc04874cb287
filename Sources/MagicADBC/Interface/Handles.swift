import CArrowABI

/// A structure of the interface that stands for one of the driver's objects.
protocol DriverHandle {
  associatedtype Object: AnyObject
  /// What the structure is called in errors.
  static var name: String { get }
  var private_data: UnsafeMutableRawPointer! { get set }
}

extension AdbcDatabase: DriverHandle {
  typealias Object = Database
  static var name: String { "database" }
}

extension AdbcConnection: DriverHandle {
  typealias Object = Connection
  static var name: String { "connection" }
}

extension AdbcStatement: DriverHandle {
  typealias Object = Statement
  static var name: String { "statement" }
}

/// Has a structure stand for a new object, until ``detach(_:)``.
func attach<Handle: DriverHandle>(
  _ object: Handle.Object, to handle: UnsafeMutablePointer<Handle>?
) throws {
  guard let handle else { throw DriverError.invalidArgument("the \(Handle.name) is NULL") }
  guard handle.pointee.private_data == nil else {
    throw DriverError.invalidState(
      "the \(Handle.name) is in use already; its structure must be zero before it is made")
  }
  handle.pointee.private_data = Unmanaged.passRetained(object).toOpaque()
}

/// The object that a structure stands for.
func object<Handle: DriverHandle>(
  of handle: UnsafeMutablePointer<Handle>?
) throws -> Handle.Object {
  guard let handle else { throw DriverError.invalidArgument("the \(Handle.name) is NULL") }
  guard let data = handle.pointee.private_data else {
    throw DriverError.invalidState("the \(Handle.name) was never made, or is released")
  }
  return Unmanaged<Handle.Object>.fromOpaque(data).takeUnretainedValue()
}

/// Ends what ``attach(_:to:)`` began.
func detach<Handle: DriverHandle>(_ handle: UnsafeMutablePointer<Handle>?) throws {
  _ = try object(of: handle)
  if let data = handle?.pointee.private_data {
    handle?.pointee.private_data = nil
    Unmanaged<Handle.Object>.fromOpaque(data).release()
  }
}

/// Does what a function of the interface is to do, and tells how it ended.
func status(
  _ place: UnsafeMutablePointer<AdbcError>?, _ body: () throws -> Void
) -> AdbcStatusCode {
  do {
    try body()
    return AdbcStatusCode(ADBC_STATUS_OK)
  } catch {
    let failure = DriverError(wrapping: error)
    failure.write(to: place)
    return failure.status.rawValue
  }
}

/// A text argument that must be there.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
  guard let text = try optionalText(pointer, name) else {
    throw DriverError.invalidArgument("\(name) is NULL")
  }
  return text
}

/// A text argument that may be NULL.
func optionalText(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String? {
  guard let pointer else { return nil }
  guard let text = String(validatingCString: pointer) else {
    throw DriverError.invalidArgument("\(name) is not valid UTF-8")
  }
  return text
}

/// Where a result goes, which must be there.
func output<Value>(_ pointer: UnsafeMutablePointer<Value>?) throws -> UnsafeMutablePointer<Value> {
  guard let pointer else { throw DriverError.invalidArgument("there is no place for the result") }
  return pointer
}
