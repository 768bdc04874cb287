public import Latches

extension Duration {
  /// In whole milliseconds, towards zero.
  public var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds.multipliedReportingOverflow(by: 1000).partialValue
      + attoseconds / 1_000_000_000_000_000
  }
}

/// A message that makes no sense.
public struct ProtocolError: Error, Hashable, CustomStringConvertible {
  public var description: String
}

extension Mode {
  /// The mode of a message; nil for one that this version does not know.
  init?(_ mode: ProtoMode) {
    switch mode {
    case .intentionShared: self = .intentionShared
    case .intentionExclusive: self = .intentionExclusive
    case .shared: self = .shared
    case .sharedIntentionExclusive: self = .sharedIntentionExclusive
    case .exclusive: self = .exclusive
    case .unspecified, .UNRECOGNIZED: return nil
    }
  }
}

extension ProtoMode {
  init(_ mode: Mode) {
    switch mode {
    case .intentionShared: self = .intentionShared
    case .intentionExclusive: self = .intentionExclusive
    case .shared: self = .shared
    case .sharedIntentionExclusive: self = .sharedIntentionExclusive
    case .exclusive: self = .exclusive
    }
  }
}

extension Wish {
  /// The wish of a message.
  public init(_ wish: ProtoWish) throws(ProtocolError) {
    guard let mode = Mode(wish.mode) else {
      throw ProtocolError(description: "a wish has no mode, or one that is not known here")
    }
    var keys: KeyRange?
    if wish.resource.hasKeys {
      let range = wish.resource.keys
      keys = KeyRange(from: Array(range.lower), to: range.hasUpper ? Array(range.upper) : nil)
    }
    self.init(Resource(wish.resource.path, keys: keys), mode)
  }
}

extension ProtoWish {
  /// The message of a wish.
  public init(_ wish: Wish) {
    self.init()
    mode = ProtoMode(wish.mode)
    resource.path = wish.resource.path
    if let keys = wish.resource.keys {
      resource.keys.lower = .init(keys.lower)
      if let upper = keys.upper { resource.keys.upper = .init(upper) }
    }
  }
}

extension Grant {
  /// The grant of a message.
  public init(_ grant: ProtoGrant) throws(ProtocolError) {
    var wishes: [Wish] = []
    for wish in grant.wishes { wishes.append(try Wish(wish)) }
    self.init(
      token: grant.token, session: grant.session, request: grant.requestID, wishes: wishes)
  }
}

extension ProtoGrant {
  /// The message of a grant.
  public init(_ grant: Grant) {
    self.init()
    token = grant.token
    session = grant.session
    requestID = grant.request
    wishes = grant.wishes.map { ProtoWish($0) }
  }
}

extension ProtoQueuedRequest {
  /// The message of a request that waits.
  public init(_ request: Request) {
    self.init()
    session = request.session
    requestID = request.id
    wishes = request.wishes.map { ProtoWish($0) }
  }
}

extension ProtoLoss {
  /// The message of a loss.
  public init(_ loss: Loss) {
    switch loss {
    case .expired: self = .expired
    case .revoked: self = .revoked
    }
  }
}

extension ProtoEvent {
  /// The message of an event.
  public init(_ event: Event) {
    self.init()
    revision = event.revision
    switch event.change {
    case .opened(let session, let owner):
      opened.session = session
      opened.user = owner
    case .ended(let session, let loss):
      ended.session = session
      if let loss { ended.loss = ProtoLoss(loss) }
    case .queued(let request): queued = ProtoQueuedRequest(request)
    case .left(let session, let request):
      left.session = session
      left.requestID = request
    case .granted(let grant): granted = ProtoGrant(grant)
    case .released(let grant): released = ProtoGrant(grant)
    }
  }
}
