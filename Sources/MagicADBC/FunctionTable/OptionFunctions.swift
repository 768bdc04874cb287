import CArrowABI

extension AdbcDriver {
  mutating func addOptionFunctions() {
    DatabaseSetOption = { database, key, value, error in
      status(error) {
        try setOption(database, key) { try optionalText(value, "the value").map { .text($0) } }
      }
    }
    DatabaseSetOptionBytes = { database, key, value, length, error in
      status(error) {
        try setOption(database, key) {
          .bytes(Array(UnsafeBufferPointer(start: value, count: value == nil ? 0 : length)))
        }
      }
    }
    DatabaseSetOptionInt = { database, key, value, error in
      status(error) { try setOption(database, key) { .integer(value) } }
    }
    DatabaseSetOptionDouble = { database, key, value, error in
      status(error) { try setOption(database, key) { .double(value) } }
    }
    DatabaseGetOption = { database, key, value, length, error in
      status(error) {
        // With the zero that ends a C string.
        let bytes = try Array(
          option(database, key).text(text(key, "the option's name")).utf8CString)
        try copy(bytes, to: value, length)
      }
    }
    DatabaseGetOptionBytes = { database, key, value, length, error in
      status(error) {
        try copy(option(database, key).bytes(text(key, "the option's name")), to: value, length)
      }
    }
    DatabaseGetOptionInt = { database, key, value, error in
      status(error) {
        let found = try option(database, key).integer(text(key, "the option's name"))
        try output(value).pointee = found
      }
    }
    DatabaseGetOptionDouble = { database, key, value, error in
      status(error) {
        let found = try option(database, key).double(text(key, "the option's name"))
        try output(value).pointee = found
      }
    }
    ConnectionSetOption = { connection, key, value, error in
      status(error) {
        try setOption(connection, key) { try optionalText(value, "the value").map { .text($0) } }
      }
    }
    ConnectionSetOptionBytes = { connection, key, value, length, error in
      status(error) {
        try setOption(connection, key) {
          .bytes(Array(UnsafeBufferPointer(start: value, count: value == nil ? 0 : length)))
        }
      }
    }
    ConnectionSetOptionInt = { connection, key, value, error in
      status(error) { try setOption(connection, key) { .integer(value) } }
    }
    ConnectionSetOptionDouble = { connection, key, value, error in
      status(error) { try setOption(connection, key) { .double(value) } }
    }
    ConnectionGetOption = { connection, key, value, length, error in
      status(error) {
        // With the zero that ends a C string.
        let bytes = try Array(
          option(connection, key).text(text(key, "the option's name")).utf8CString)
        try copy(bytes, to: value, length)
      }
    }
    ConnectionGetOptionBytes = { connection, key, value, length, error in
      status(error) {
        try copy(option(connection, key).bytes(text(key, "the option's name")), to: value, length)
      }
    }
    ConnectionGetOptionInt = { connection, key, value, error in
      status(error) {
        let found = try option(connection, key).integer(text(key, "the option's name"))
        try output(value).pointee = found
      }
    }
    ConnectionGetOptionDouble = { connection, key, value, error in
      status(error) {
        let found = try option(connection, key).double(text(key, "the option's name"))
        try output(value).pointee = found
      }
    }
    StatementSetOption = { statement, key, value, error in
      status(error) {
        try setOption(statement, key) { try optionalText(value, "the value").map { .text($0) } }
      }
    }
    StatementSetOptionBytes = { statement, key, value, length, error in
      status(error) {
        try setOption(statement, key) {
          .bytes(Array(UnsafeBufferPointer(start: value, count: value == nil ? 0 : length)))
        }
      }
    }
    StatementSetOptionInt = { statement, key, value, error in
      status(error) { try setOption(statement, key) { .integer(value) } }
    }
    StatementSetOptionDouble = { statement, key, value, error in
      status(error) { try setOption(statement, key) { .double(value) } }
    }
    StatementGetOption = { statement, key, value, length, error in
      status(error) {
        // With the zero that ends a C string.
        let bytes = try Array(
          option(statement, key).text(text(key, "the option's name")).utf8CString)
        try copy(bytes, to: value, length)
      }
    }
    StatementGetOptionBytes = { statement, key, value, length, error in
      status(error) {
        try copy(option(statement, key).bytes(text(key, "the option's name")), to: value, length)
      }
    }
    StatementGetOptionInt = { statement, key, value, error in
      status(error) {
        let found = try option(statement, key).integer(text(key, "the option's name"))
        try output(value).pointee = found
      }
    }
    StatementGetOptionDouble = { statement, key, value, error in
      status(error) {
        let found = try option(statement, key).double(text(key, "the option's name"))
        try output(value).pointee = found
      }
    }
  }
}

private func setOption<Handle: DriverHandle>(
  _ handle: UnsafeMutablePointer<Handle>?, _ key: UnsafePointer<CChar>?,
  _ value: () throws -> OptionValue?
) throws where Handle.Object: OptionHolder {
  let holder = try object(of: handle)
  try holder.setOption(text(key, "the option's name"), value())
}

private func option<Handle: DriverHandle>(
  _ handle: UnsafeMutablePointer<Handle>?, _ key: UnsafePointer<CChar>?
) throws -> OptionValue where Handle.Object: OptionHolder {
  let holder = try object(of: handle)
  return try holder.requiredOption(text(key, "the option's name"))
}

/// Copies a value if there is room for it, and tells how long it is.
private func copy<Element>(
  _ elements: [Element], to pointer: UnsafeMutablePointer<Element>?,
  _ length: UnsafeMutablePointer<Int>?
) throws {
  let length = try output(length)
  if let pointer, length.pointee >= elements.count {
    pointer.update(from: elements, count: elements.count)
  }
  length.pointee = elements.count
}
