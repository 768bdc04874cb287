import Foundation
import Testing

@testable import MagicAPI

@Suite struct UserDirectoryTests {
  private func withFile(
    _ contents: String, mode: mode_t = 0o600, _ body: (String) async throws -> Void
  ) async throws {
    let path = NSTemporaryDirectory() + "magic-users-\(UUID().uuidString)"
    try Data(contents.utf8).write(to: URL(fileURLWithPath: path))
    chmod(path, mode)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  private func users(_ users: String) -> String { "{\"version\": 1, \"users\": [\(users)]}" }

  @Test func passwordsAndTokens() async throws {
    let hash = try PasswordHash.make("right")
    #expect(hash.hasPrefix("$y$"))
    #expect(PasswordHash.verify("right", hash))
    #expect(!PasswordHash.verify("wrong", hash))
    #expect(!PasswordHash.verify("right\0x", hash))
    let (token, tokenHash) = APIToken.make()
    let text = users(
      """
      {"name": "ana", "password": "\(hash)", "role": "reader", "databases": ["shop", "sales_*"]},
      {"name": "bot", "role": "writer", "tokens": ["\(tokenHash)"]}
      """)
    try await withFile(text) { path in
      let directory = try UserDirectory(
        file: path, environment: ["MAGIC_USER": "root", "MAGIC_PASSWORD": "boss"])
      func caller(_ user: String, _ password: String) async throws -> Caller {
        try await directory.authenticate(
          user: user, password: password, interface: "http", address: "10.0.0.1:5000")
      }
      for _ in 0..<2 {
        #expect(
          try await caller("ana", "right")
            == Caller(
              user: "ana", role: .reader, databases: ["shop", "sales_*"], rights: 1,
              interface: "http", address: "10.0.0.1:5000"))
      }
      #expect(try await caller("", token).user == "bot")
      #expect(try await caller("root", "boss").role == .admin)
      for (user, password) in [
        ("ana", "wrong"), ("ana", ""), ("eve", "right"), ("", "magic_x"), ("bot", ""), ("", ""),
        ("bot", token),
      ] {
        let error = await #expect(throws: APIError.self) { try await caller(user, password) }
        #expect(error?.kind == .unauthenticated)
      }
      // A broken file changes nothing, another one everything.
      try Data("{".utf8).write(to: URL(fileURLWithPath: path))
      await #expect(throws: APIError.self) { try await directory.reload() }
      #expect(try await caller("ana", "right").role == .reader)
      let other = users(
        "{\"name\": \"ana\", \"password\": \"\(try PasswordHash.make("new"))\", \"role\": \"writer\"}"
      )
      try Data(other.utf8).write(to: URL(fileURLWithPath: path))
      #expect(try await directory.reload())
      #expect(try await !directory.reload())
      await #expect(throws: APIError.self) { try await caller("ana", "right") }
      await #expect(throws: APIError.self) { try await caller("", token) }
      #expect(try await caller("ana", "new").role == .writer)
      // What was begun with the old rights does not come back with them; another token takes nothing.
      #expect(try await caller("ana", "new").rights == 2)
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect(try await directory.reload())
      #expect(try await caller("ana", "right").rights == 3)
      let renewed = text.replacingOccurrences(of: tokenHash, with: APIToken.make().hash)
      try Data(renewed.utf8).write(to: URL(fileURLWithPath: path))
      #expect(try await directory.reload())
      #expect(try await caller("ana", "right").rights == 3)
    }
  }

  @Test func unknownUsersTakeAsLong() async throws {
    let hash = try PasswordHash.make("right")
    try await withFile(
      users("{\"name\": \"ana\", \"password\": \"\(hash)\", \"role\": \"reader\"}")
    ) {
      path in
      let directory = try UserDirectory(file: path, environment: [:])
      // The shortest of several, because other work can only make it longer.
      func time(_ user: String) async -> Duration {
        var shortest = Duration.seconds(1000)
        for number in 0..<6 {
          let duration = await ContinuousClock().measure {
            _ = try? await directory.authenticate(
              user: user, password: "guess\(number)", interface: "http", address: "")
          }
          shortest = min(shortest, duration)
        }
        return shortest
      }
      let (known, unknown) = (await time("ana"), await time("eve"))
      #expect(unknown > known / 3 && known > unknown / 3, "\(known) \(unknown)")
    }
  }

  @Test func guessersAreSlowedDown() {
    var throttle = GuessThrottle()
    let start = ContinuousClock.now
    for _ in 0..<20 {
      #expect(throttle.delay(user: "ana", address: "a", now: start) == nil)
      throttle.noteFailure(user: "ana", address: "a", now: start)
    }
    #expect(throttle.delay(user: "ana", address: "a", now: start) == .seconds(30))
    #expect(throttle.delay(user: "ana", address: "b", now: start) == nil)
    #expect(throttle.delay(user: "bob", address: "a", now: start) == nil)
    #expect(throttle.delay(user: "ana", address: "a", now: start + .seconds(31)) == nil)
    throttle.noteSuccess(user: "ana", address: "a")
    #expect(throttle.delay(user: "ana", address: "a", now: start) == nil)
    for number in 0..<180 { throttle.noteFailure(user: "u\(number)", address: "a", now: start) }
    #expect(throttle.delay(user: "bob", address: "a", now: start) == .seconds(30))
    // Memory is bounded, and whoever guesses most is not forgotten.
    for number in 0..<20_000 { throttle.noteFailure(user: "u", address: "\(number)", now: start) }
    #expect(throttle.delay(user: "bob", address: "a", now: start) == .seconds(30))
  }

  @Test(arguments: [
    ("{}", "it lacks \"version\""), ("[]", "another type"), ("x", "not JSON"),
    ("{\"version\": 2, \"users\": []}", "version is 2"),
    ("{\"version\": 1, \"users\": [], \"extra\": 1}", "unknown key \"extra\""),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"pasword\": \"x\"}]}",
      "unknown key \"pasword\""
    ),
    ("{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"king\"}]}", "the role king"),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"reader\"}]}", "neither a password"
    ),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a:b\", \"role\": \"reader\", \"password\": \"x\"}]}",
      "no colon"
    ),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"reader\", \"password\": \"plain\"}]}",
      "it is no hash"
    ),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"reader\", \"password\": \"$1$ab$cd\"}]}",
      "$1$ is unknown or too weak"
    ),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"reader\", \"password\": \"$y$j9T$abcd\"}]}",
      "incomplete"
    ),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"admin\", \"databases\": [], "
        + "\"tokens\": [\"sha256:\(String(repeating: "0", count: 64))\"]}]}", "sees all databases"
    ),
    (
      "{\"version\": 1, \"users\": [{\"name\": \"a\", \"role\": \"reader\", \"tokens\": [\"magic_x\"]}]}",
      "magic password --token"
    ),
  ])
  func badFilesAreRefused(_ contents: String, _ reason: String) async throws {
    try await withFile(contents) { path in
      let error = #expect(throws: APIError.self) { try UsersFile(path: path) }
      #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
      #expect(error?.message.contains(path) == true)
    }
  }

  @Test func filesForEverybodyAreRefused() async throws {
    try await withFile(users(""), mode: 0o644) { path in
      let error = #expect(throws: APIError.self) { try UsersFile(path: path) }
      #expect(error?.message.contains("chmod o= \(path)") == true)
    }
    #expect(throws: APIError.self) { try UserDirectory(file: "/nonexistent", environment: [:]) }
    for environment in [
      ["MAGIC_USER": "a"], ["MAGIC_PASSWORD": "a"],
      ["MAGIC_USER": "a", "MAGIC_PASSWORD": "b", "MAGIC_PASSWORD_FILE": "c"],
      ["MAGIC_USER": "a", "MAGIC_PASSWORD_FILE": "/nonexistent"],
    ] {
      #expect(throws: APIError.self) { try UserDirectory(file: nil, environment: environment) }
    }
  }

  @Test func hashesAreThoseOfTheStandard() {
    func hash(_ text: String) -> String { hexadecimal(SHA256.hash(Array(text.utf8))) }
    #expect(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    for (count, expected) in [
      (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
      (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
    ] {
      #expect(hash(String(repeating: "a", count: count)) == expected)
    }
    let code = SHA256.authenticationCode(
      of: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
    #expect(
      hexadecimal(code) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  }
}
