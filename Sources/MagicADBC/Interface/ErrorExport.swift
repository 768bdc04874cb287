import CArrowABI
import Glibc

extension DriverError {
  /// Writes the error to where the caller wants it, if it does. The caller releases it.
  ///
  /// A caller that knows version 1.1 of the interface says so by the vendor code; it gets the
  /// engine's code among the details, others as the vendor code.
  func write(to pointer: UnsafeMutablePointer<AdbcError>?) {
    guard let pointer else { return }
    let takesDetails = pointer.pointee.vendor_code == privateDataCode
    if let release = pointer.pointee.release { release(pointer) }
    pointer.pointee.message = strdup(message)
    withUnsafeMutableBytes(of: &pointer.pointee.sqlstate) {
      $0.copyBytes(from: sqlState.utf8.prefix(5))
    }
    pointer.pointee.release = { ErrorExport.release($0) }
    if takesDetails {
      pointer.pointee.vendor_code = privateDataCode
      pointer.pointee.private_data = Unmanaged.passRetained(ErrorDetails(self)).toOpaque()
    } else {
      pointer.pointee.vendor_code = Int32(clamping: engineCode ?? 0)
    }
  }
}

/// `ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA`.
let privateDataCode = Int32.min

/// The functions of the interface about errors.
enum ErrorExport {
  static func release(_ pointer: UnsafeMutablePointer<AdbcError>?) {
    guard let pointer, pointer.pointee.release != nil else { return }
    free(pointer.pointee.message)
    pointer.pointee.message = nil
    pointer.pointee.release = nil
    // Older callers have no room for private data.
    guard pointer.pointee.vendor_code == privateDataCode else { return }
    if let data = pointer.pointee.private_data {
      Unmanaged<ErrorDetails>.fromOpaque(data).release()
    }
    pointer.pointee.private_data = nil
  }

  static func detailCount(_ error: UnsafePointer<AdbcError>?) -> CInt {
    ErrorDetails.of(error).map { CInt(clamping: $0.details.count) } ?? 0
  }

  static func detail(_ error: UnsafePointer<AdbcError>?, _ index: CInt) -> AdbcErrorDetail {
    guard let details = ErrorDetails.of(error)?.details, details.indices.contains(Int(index)) else {
      return AdbcErrorDetail()
    }
    return details[Int(index)]
  }
}

/// What is known of an error beside its message; lives until the error is released.
private final class ErrorDetails {
  let details: [AdbcErrorDetail]

  init(_ error: DriverError) {
    details =
      error.engineCode.map { code in
        let text = "\(code)"
        let value = strdup(text)
        return [
          AdbcErrorDetail(
            key: UnsafePointer(strdup("magic.engine_code")),
            value: value.map { UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self) },
            value_length: text.utf8.count)
        ]
      } ?? []
  }

  deinit {
    for detail in details {
      free(UnsafeMutableRawPointer(mutating: detail.key))
      free(UnsafeMutableRawPointer(mutating: detail.value))
    }
  }

  static func of(_ error: UnsafePointer<AdbcError>?) -> ErrorDetails? {
    guard let error, error.pointee.vendor_code == privateDataCode,
      let data = error.pointee.private_data
    else { return nil }
    return Unmanaged<ErrorDetails>.fromOpaque(data).takeUnretainedValue()
  }
}
