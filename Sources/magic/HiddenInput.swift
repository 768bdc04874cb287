import Glibc

/// Reads a line of stdin.
func readFirstLine() throws -> String {
  guard let line = readLine() else { throw Failure("stdin is empty: there is no password") }
  return line
}

/// Reads a line from the terminal, which does not show it.
func readHidden(_ prompt: String) throws -> String {
  var shown = termios()
  guard tcgetattr(STDIN_FILENO, &shown) == 0 else { throw Failure("the terminal is not usable") }
  var hidden = shown
  hidden.c_lflag &= ~tcflag_t(ECHO)
  writeAll(Array(prompt.utf8), to: STDERR_FILENO)
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
  defer {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
    writeAll([0x0A], to: STDERR_FILENO)
  }
  return try readFirstLine()
}
