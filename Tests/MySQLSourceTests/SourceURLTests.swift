import Foundation
import MySQLSource
import Testing

@Suite struct SourceURLTests {
  private func parse(_ text: String, environment: [String: String] = [:]) throws -> SourceURL {
    try SourceURL(text, environment: environment)
  }

  @Test func completeURL() throws {
    let url = try parse(
      "mysql://an%40na:p%3Aa%2Fs%20s@db.example.org:3307/?ssl-mode=VERIFY_CA&ssl-ca=/a%20b/ca.pem"
        + "&ssl-cert=/c.pem&ssl-key=/k.pem")
    #expect(url.user == "an@na")
    #expect(url.password == "p:a/s s")
    #expect(url.host == "db.example.org")
    #expect(url.port == 3307)
    #expect(url.sslMode == .verifyCA)
    #expect(url.sslCA == "/a b/ca.pem")
    #expect(url.sslCertificate == "/c.pem")
    #expect(url.sslKey == "/k.pem")
  }

  @Test func defaults() throws {
    let url = try parse("mariadb://root@db")
    #expect(url.port == 3306)
    #expect(url.password == nil)
    #expect(url.sslMode == .preferred)
    #expect(url.description == "mysql://root@db:3306/")
  }

  @Test func socketAndIPv6() throws {
    let local = try parse("mysql://root@/?socket=/run/mysqld/mysqld.sock")
    #expect(local.socket == "/run/mysqld/mysqld.sock")
    #expect(local.address == "/run/mysqld/mysqld.sock")
    let v6 = try parse("mysql://root:x@[::1]:3310")
    #expect(v6.host == "::1")
    #expect(v6.port == 3310)
    #expect(v6.address == "[::1]:3310")
  }

  @Test func severalHosts() throws {
    let url = try parse("mysql://r:p@a.example:3307,b,[2001:db8::1]:3308,[::1]/?ssl-mode=required")
    #expect(
      url.hosts == [
        SourceURL.Host(host: "a.example", port: 3307), SourceURL.Host(host: "b"),
        SourceURL.Host(host: "2001:db8::1", port: 3308), SourceURL.Host(host: "::1"),
      ])
    #expect(url.host == "a.example")
    #expect(url.port == 3307)
    #expect(url.address == "a.example:3307,b:3306,[2001:db8::1]:3308,[::1]:3306")
    let second = url.at(url.hosts[2])
    #expect(second.hosts == [url.hosts[2]])
    #expect(second.address == "[2001:db8::1]:3308")
    #expect(second.password == "p")
    #expect(second.sslMode == .required)
    #expect(try parse(url.description).hosts == url.hosts)
    // The same name at two ports is two servers.
    #expect(try parse("mysql://r@a:1,a:2").hosts.count == 2)
  }

  @Test func passwordIsNeverShown() throws {
    let url = try parse("mysql://root:hunter2@db:1/")
    #expect(!"\(url)".contains("hunter2"))
    #expect(!String(reflecting: url).contains("hunter2"))
    var dumped = ""
    dump(url, to: &dumped)
    #expect(!dumped.contains("hunter2"))
    for wrong in ["mysql://root:hunter2@db:x/", "mysql://root:hunter2%zz@db/", "pg://r:hunter2@d/"]
    {
      let error = #expect(throws: SourceError.self) { try parse(wrong) }
      #expect(error?.description.contains("hunter2") == false)
    }
  }

  @Test func passwordFromFileOrEnvironment() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try Data("from file\nsecond line\n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let environment = ["MAGIC_SOURCE_PASSWORD": "from environment"]
    let url = { (text: String, path: String?) in
      try SourceURL(text, passwordFile: path, environment: environment).password
    }
    #expect(try url("mysql://a:own@db/", file.path) == "own")
    #expect(try url("mysql://a@db/", file.path) == "from file")
    #expect(try url("mysql://a@db/", nil) == "from environment")
    #expect(try url("mysql://a:@db/", nil) == "")
    #expect(throws: SourceError.self) { try url("mysql://a@db/", "/does/not/exist") }
  }

  @Test(arguments: [
    ("root@db", "does not begin with mysql://"),
    ("http://root@db", "scheme"),
    ("mysql://db:3306/", "names no user"),
    ("mysql://root@/", "names no host"),
    ("mysql://root@a,,b/", "one of its hosts has no name"),
    ("mysql://root@a,/", "one of its hosts has no name"),
    ("mysql://root@,/", "one of its hosts has no name"),
    ("mysql://root@a,b:3306,A:3306/", "names A:3306 twice"),
    ("mysql://root@a,::1/", "brackets"),
    ("mysql://root@a,b/?socket=/s", "a socket is of one server"),
    ("mysql://root@db:0/", "port"),
    ("mysql://root@db:70000/", "port"),
    ("mysql://root@::1/", "brackets"),
    ("mysql://root@[::1/", "not closed"),
    ("mysql://root@[::1]x/", "follows the IPv6 address"),
    ("mysql://root@db/shop", "--include"),
    ("mysql://root@db/?ssl-mode=maybe", "ssl-mode is one of disabled, preferred"),
    ("mysql://root@db/?ssl-mode=verify-ca", "needs ssl-ca"),
    ("mysql://root@db/?tls=1", "option tls is unknown"),
    ("mysql://root@db/?socket", "has no value"),
    ("mysql://r%4@db/", "percent-encoded"),
  ])
  func wrongURLs(text: String, reason: String) throws {
    let error = #expect(throws: SourceError.self) { try parse(text) }
    #expect(error?.code == .configuration)
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }
}
