import GRPCCore
import MagicAPI

/// What a client that keeps cookies has set for its statements.
struct Session: Sendable {
  /// The cookie that names a session.
  static let cookie = "arrow_flight_session_id"

  /// Whether a text has the form of the names that are given here.
  static func isName(_ text: String) -> Bool {
    text.utf8.count == 32
      && text.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
      }
  }

  /// The database of names without one.
  var database = "default"
  /// Settings of the engine.
  var settings: [String: String] = [:]
  /// The snapshot that statements read; nil for the newest state.
  var snapshot: String?
  /// Transactions of the source that every answer has.
  var atLeast: String?
  /// The fencing token under which statements change something.
  var fencingToken: UInt64?
  /// How many endpoints a plain reading of a large table gets; nil for the server's choice.
  var endpointCount: Int?
  /// Whether statements run in a session of the engine, one after another: since one of them was
  /// SET, USE or the like, whose effect lasts.
  var isHeldByEngine = false
}

/// A call with what its headers say.
struct Call: Sendable {
  /// Who calls.
  var caller: Caller
  /// The service, bound to who calls.
  var service: any MagicService
  var session = Session()
  /// The session's name, also of one that has yet to begin; nil for a client that has none.
  var sessionName: String?
  /// What the answer's headers are to have.
  var responseMetadata: Metadata = [:]
  /// Whether the client is known to read all endpoints of a flight.
  var readsAllEndpoints = false

  /// Names the caller's session, if it has no name yet: the answer's headers say it.
  @discardableResult mutating func nameSession() -> String {
    if let sessionName { return sessionName }
    let name = randomName()
    sessionName = name
    responseMetadata.addString(
      "\(Session.cookie)=\(name); HttpOnly; SameSite=Strict", forKey: "set-cookie")
    return name
  }

  /// A statement that runs with what the session has set.
  func request(_ sql: String) -> StatementRequest {
    var request = StatementRequest(sql)
    request.database = session.database
    request.settings = session.settings
    request.snapshot = session.snapshot
    request.fencingToken = session.fencingToken
    if session.isHeldByEngine, let sessionName {
      request.session = SessionRequest(name: sessionName)
    }
    return request
  }
}
