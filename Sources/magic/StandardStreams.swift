import Glibc
import UnixSocket

/// Writes all of `bytes` to stdout, waiting while its reader is slow.
///
/// - Throws: ``SystemError``, also when the reader has closed its end.
func writeToStandardOutput(_ bytes: [UInt8]) throws(SystemError) {
  guard writeAll(bytes, to: STDOUT_FILENO) else { throw SystemError("write the result") }
}

/// Writes a line on stdout.
///
/// - Throws: ``SystemError``, like ``writeToStandardOutput(_:)``.
func printLine(_ text: String) throws(SystemError) {
  try writeToStandardOutput(Array(text.utf8) + [UInt8(ascii: "\n")])
}

/// Writes all of `bytes`; false, with `errno` set, when the system refuses.
@discardableResult
func writeAll(_ bytes: [UInt8], to descriptor: CInt) -> Bool {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count >= 0 {
      rest = rest.dropFirst(count)
    } else if errno != EINTR {
      return false
    }
  }
  return true
}
