// swift-tools-version: 6.2
import PackageDescription

let decoders: [Target.Dependency] = [.product(name: "Decoders", package: "magic")]

// Each target is one libFuzzer program: scripts/fuzz builds and runs them.
let package = Package(
  name: "fuzz",
  dependencies: [
    .package(name: "magic", path: ".."),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    .executableTarget(name: "FuzzArrow", dependencies: decoders),
    .executableTarget(name: "FuzzBackup", dependencies: decoders),
    .executableTarget(name: "FuzzDDL", dependencies: decoders),
    .executableTarget(name: "FuzzEvent", dependencies: decoders),
    .executableTarget(
      name: "FuzzFlight",
      dependencies: decoders + [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .executableTarget(name: "FuzzGTID", dependencies: decoders),
    .executableTarget(name: "FuzzHTTP", dependencies: decoders),
    .executableTarget(name: "FuzzJSON", dependencies: decoders),
    .executableTarget(name: "FuzzJSONDiff", dependencies: decoders),
    .executableTarget(name: "FuzzLatches", dependencies: decoders),
    .executableTarget(name: "FuzzRowImage", dependencies: decoders),
    .executableTarget(name: "FuzzStatement", dependencies: decoders),
  ],
  swiftLanguageModes: [.v6]
)
