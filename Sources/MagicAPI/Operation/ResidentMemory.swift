import Foundation
import Glibc

/// The memory of this process in bytes; nil when the system does not tell.
func residentByteCount() -> Int? {
  let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
  let fields = text?.split(separator: " ") ?? []
  return fields.count > 1 ? Int(fields[1]).map { $0 * Int(getpagesize()) } : nil
}
