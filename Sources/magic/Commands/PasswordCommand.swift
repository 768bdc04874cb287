import ArgumentParser
import Glibc
import MagicAPI

/// `magic password`: makes what the users file has of a password or a token.
struct PasswordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "password",
    abstract: "Hash a password for the users file of magic serve, or make a token.",
    discussion: """
      Reads the password from the terminal, without showing it, or the first line of stdin, and \
      prints its hash.
      """)

  @Flag(help: "Make a token for a program: prints the token, and its hash for the users file.")
  var token = false

  func run() throws {
    if token {
      let (token, hash) = APIToken.make()
      print("token: \(token)\nhash:  \(hash)")
    } else {
      print(try PasswordHash.make(isatty(STDIN_FILENO) == 1 ? readTwice() : readFirstLine()))
    }
  }

  private func readTwice() throws -> String {
    let password = try readHidden("Password: ")
    guard try readHidden("Again: ") == password else {
      throw Failure("the two passwords are not the same")
    }
    return password
  }
}
