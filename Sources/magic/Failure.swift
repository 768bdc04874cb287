import Glibc

/// Why a command failed, in words for the person who ran it.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Prints an error as one line on stderr.
func printError(_ error: any Error) {
  let line = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
  writeAll(Array("magic: \(line)\n".utf8), to: STDERR_FILENO)
}

/// Prints what a person should know although the command succeeded.
func printWarning(_ text: String) {
  writeAll(Array("magic: warning: \(text)\n".utf8), to: STDERR_FILENO)
}
