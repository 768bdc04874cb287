// swift-tools-version: 6.2
import PackageDescription

let decoders: [Target.Dependency] = [.product(name: "Decoders", package: "magic")]

// Each target is one libFuzzer program: scripts/fuzz builds and runs them.
let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "magic", path: "..")],
  targets: [
    .executableTarget(name: "FuzzDDL", dependencies: decoders),
    .executableTarget(name: "FuzzEvent", dependencies: decoders),
    .executableTarget(name: "FuzzGTID", dependencies: decoders),
    .executableTarget(name: "FuzzJSON", dependencies: decoders),
    .executableTarget(name: "FuzzRowImage", dependencies: decoders),
    .executableTarget(name: "FuzzStatement", dependencies: decoders),
  ],
  swiftLanguageModes: [.v6]
)
