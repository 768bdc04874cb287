import Glibc
import NIOCore
import Synchronization
import TLSCertificates
import UnixSocket

/// A socket that clients can connect to from the moment it exists; ``HTTPServer`` answers them.
public final class Listener: Sendable {
  /// Who can connect to it.
  enum Kind: Sendable {
    /// The user that runs this process, who may do everything.
    case unixSocket
    /// Whoever reaches the port; they have to say who they are.
    case tcp
  }

  /// Where it listens, for log lines.
  public let description: String
  /// The TCP port it got; nil for a Unix domain socket.
  public let port: Int?
  let kind: Kind
  /// What connections are encrypted with; nil for plain ones.
  let certificates: TLSCertificates?
  private let socketPath: SocketPath?
  private let descriptor: Mutex<CInt?>

  /// Listens on a Unix domain socket that only this user may connect to (mode 0600).
  ///
  /// A socket file that a dead process left is replaced.
  ///
  /// - Throws: `SystemError` with `EADDRINUSE` when a process still listens there.
  public convenience init(unixSocket path: String) throws {
    let socketPath = try SocketPath(path)
    let address = try SocketAddress(unixDomainSocketPath: socketPath.connectable)
    try removeStaleFile(socketPath, address: address)
    // The mode of an unbound socket becomes the mode of the file that `bind` makes, so there is no
    // moment at which someone else could connect.
    let descriptor = try listen(address, name: path) { fchmod($0, 0o600) }
    self.init(
      descriptor: descriptor, description: path, port: nil, socketPath: socketPath,
      certificates: nil)
  }

  /// Listens on a TCP port; 0 takes a free one.
  ///
  /// Connections are encrypted with `certificates`; nil leaves them plain.
  ///
  /// - Throws: `SystemError`, or the resolver's error for an unknown host.
  public convenience init(
    host: String, port: Int, certificates: TLSCertificates? = nil
  ) throws {
    let address = try SocketAddress.makeAddressResolvingHost(host, port: port)
    let name = "\(host):\(port)"
    let descriptor = try listen(address, name: name) {
      var enabled: CInt = 1
      return setsockopt(
        $0, SOL_SOCKET, SO_REUSEADDR, &enabled, socklen_t(MemoryLayout<CInt>.size))
    }
    let bound = boundPort(descriptor) ?? port
    self.init(
      descriptor: descriptor, description: "\(host):\(bound)", port: bound, socketPath: nil,
      certificates: certificates)
  }

  private init(
    descriptor: CInt, description: String, port: Int?, socketPath: SocketPath?,
    certificates: TLSCertificates?
  ) {
    self.descriptor = Mutex(descriptor)
    self.description = description
    self.port = port
    self.kind = socketPath == nil ? .tcp : .unixSocket
    self.socketPath = socketPath
    self.certificates = certificates
  }

  deinit {
    guard let unused = takeDescriptor() else { return }
    Glibc.close(unused)
    removeSocketFile()
  }

  /// Hands over the socket; nil when that has been done before.
  func takeDescriptor() -> CInt? {
    descriptor.withLock { $0.take() }
  }

  /// Removes the socket file, so that the next client need not find out that nobody answers.
  func removeSocketFile() {
    if let socketPath { unlink(socketPath.connectable) }
  }
}

private func listen(
  _ address: SocketAddress, name: String, prepare: (CInt) -> CInt
) throws -> CInt {
  let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
  let descriptor = socket(CInt(address.protocol.rawValue), type, 0)
  guard descriptor >= 0 else { throw SystemError("open a socket for \(name)") }
  let bound =
    prepare(descriptor) == 0
    && address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0
    && Glibc.listen(descriptor, SOMAXCONN) == 0
  guard bound else {
    let error = SystemError("listen on \(name)")
    close(descriptor)
    throw error
  }
  return descriptor
}

private func removeStaleFile(_ path: SocketPath, address: SocketAddress) throws {
  var status = stat()
  guard lstat(path.connectable, &status) == 0 else { return }
  guard status.st_mode & S_IFMT == S_IFSOCK else {
    throw SystemError("listen on \(path.path), which is not a socket", code: EEXIST)
  }
  let probe = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
  guard probe >= 0 else { throw SystemError("open a socket for \(path.path)") }
  defer { close(probe) }
  let answers = address.withSockAddr { connect(probe, $0, socklen_t($1)) } == 0
  guard !answers else { throw SystemError("listen on \(path.path)", code: EADDRINUSE) }
  guard errno == ECONNREFUSED else { throw SystemError("probe \(path.path)") }
  guard unlink(path.connectable) == 0 else { throw SystemError("remove stale \(path.path)") }
}

private func boundPort(_ descriptor: CInt) -> Int? {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
  let result = withUnsafeMutablePointer(to: &storage) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
  }
  guard result == 0 else { return nil }
  // The port is at the same place in sockaddr_in and sockaddr_in6, in network order.
  return withUnsafeBytes(of: storage) {
    Int(UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
  }
}
