import ArgumentParser
import Foundation
import LatchService
import ServiceLifecycle

/// `magic latch serve`: latches without a database.
struct LatchServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve latches alone, without a database.",
    discussion: """
      magic serve does this too. With --data, latches are kept in the file latches of a folder, for one \
      node; with --store, in etcd, for any number of nodes of which one serves and the others take over. \
      Stops cleanly on SIGTERM and SIGINT.
      """)

  @Option(help: "Where clients connect: HOST:PORT, port 0 for any.")
  var listen = ListenAddress(host: "127.0.0.1", port: 32011)

  @Option(name: .customLong("data"), help: "The folder of the file.", completion: .directory)
  var dataFolder: String?

  @Option(
    help: """
      An etcd cluster: etcd://HOST:PORT[,HOST:PORT…][/PREFIX], etcds:// with TLS, \
      USER:PASSWORD@ in front of the hosts.
      """)
  var store: LatchStoreAddress?

  @OptionGroup(title: "Access") var access: AccessOptions
  @OptionGroup(title: "Several nodes") var nodes: LatchNodeOptions
  @OptionGroup var logging: LogOptions

  func validate() throws {
    guard (dataFolder == nil) != (store?.etcd == nil) else {
      throw ValidationError("Give either --data DIR or --store etcd://….")
    }
  }

  func run() async throws {
    let logger = logging.makeLogger("magic.latch")
    let guardian = try access.makeGuard(of: [("--listen", listen)], logger: logger)
    if let dataFolder, mkdir(dataFolder, 0o700) != 0, errno != EEXIST {
      throw Failure(
        "the folder '\(dataFolder)' cannot be made: \(String(cString: strerror(errno)))")
    }
    let node = try nodes.makeNode(
      folder: dataFolder ?? "", store: store ?? .file, listen: listen,
      usesTLS: guardian.certificates != nil, logger: logger)
    try await runGroup(
      [guardian, makeLatchServer(node, listen: listen, guardian, logger: logger)], logger: logger)
  }
}
