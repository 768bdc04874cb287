import ArgumentParser
import Glibc
import UnixSocket

/// The command line: `magic COMMAND …`.
@main
struct Magic: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "magic",
    abstract: "A live, columnar copy of a MySQL or MariaDB database.",
    version: "0.1.0",
    subcommands: [
      ReplicateCommand.self, LoadCommand.self, ServeCommand.self, SQLCommand.self,
      StatusCommand.self, WriterCommand.self, SnapshotCommand.self, BackupCommand.self,
      RestoreCommand.self,
      VerifyCommand.self, BinlogCommand.self, LatchCommand.self, PasswordCommand.self,
      ConfigCommand.self,
    ])

  /// Runs the command that the arguments name. Every error is one line on stderr.
  static func main() async {
    do {
      var arguments = Array(CommandLine.arguments.dropFirst())
      LatchChild.becomeCommand(arguments)
      let inner = LatchRunCommand.takeCommand(from: &arguments)
      var command = try parseAsRoot(try ConfigurationFile.expand(arguments))
      if var run = command as? LatchRunCommand {
        run.command = inner ?? []
        command = run
      }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let code as ExitCode {
      Glibc.exit(code.rawValue)
    } catch let error as SystemError where error.code == EPIPE {
      // Whoever read the result has had enough, as `head` does. The status is the one of a process
      // that the signal for this ended.
      Glibc.exit(128 + SIGPIPE)
    } catch let error where exitCode(for: error) == .failure {
      printError(error)
      Glibc.exit(ExitCode.failure.rawValue)
    } catch {
      // Help, the version and wrong arguments: the parser knows how to print those.
      exit(withError: error)
    }
  }
}
