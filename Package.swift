// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "magic",
  products: [
    .executable(name: "magic", targets: ["magic"]),
    // For the fuzz targets, which are a package of their own.
    .library(
      name: "Decoders",
      targets: ["Arrow", "Binlog", "ClickHouseEngine", "MySQLSchema", "RowEncoding", "WireFormat"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // L0
    .target(name: "WireFormat", dependencies: ["CDeflate"], swiftSettings: swiftSettings),
    .target(name: "Threads", swiftSettings: swiftSettings),
    .target(name: "CArrowABI"),
    .systemLibrary(name: "CDeflate"),
    .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CEdit"),
    .target(name: "UnixSocket", swiftSettings: swiftSettings),
    // L1
    .target(
      name: "Arrow", dependencies: ["CArrowABI", "WireFormat"], swiftSettings: swiftSettings),
    .target(
      name: "Binlog", dependencies: ["WireFormat", "CZstd", "CZlib"], swiftSettings: swiftSettings),
    .target(name: "MySQLSchema", swiftSettings: swiftSettings),
    // L2
    .target(
      name: "RowEncoding", dependencies: ["Arrow", "Binlog", "MySQLSchema", "WireFormat"],
      swiftSettings: swiftSettings),
    .target(name: "MagicCore", dependencies: ["Arrow"], swiftSettings: swiftSettings),
    // L3
    .target(
      name: "ClickHouseEngine",
      dependencies: ["Arrow", "CArrowABI", "MagicCore", "Threads", "WireFormat"],
      swiftSettings: swiftSettings),
    .target(
      name: "MySQLSource",
      dependencies: [
        "Arrow", "Binlog", "CMariaDB", "CZlib", "MySQLSchema", "RowEncoding", "Threads",
        "WireFormat",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Replication",
      dependencies: [
        "Arrow", "Binlog", "MagicCore", "MySQLSchema", "RowEncoding", "Threads", "WireFormat",
      ],
      swiftSettings: swiftSettings),
    // L4
    .target(
      name: "HTTPServer",
      dependencies: [
        "MagicCore", "UnixSocket",
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "MagicClient",
      dependencies: [
        "MagicCore", "UnixSocket",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: swiftSettings),
    // L5
    .executableTarget(
      name: "magic",
      dependencies: [
        "Arrow", "Binlog", "CEdit", "CZlib", "ClickHouseEngine", "HTTPServer", "MagicClient",
        "MagicCore", "MySQLSchema", "MySQLSource", "Replication", "RowEncoding", "Threads",
        "UnixSocket", "WireFormat",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "magic-bench", dependencies: ["Arrow", "Binlog", "MySQLSchema", "RowEncoding"],
      path: "Benchmarks/magic-bench", swiftSettings: swiftSettings),
    // Tests
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .testTarget(
      name: "ArrowTests", dependencies: ["Arrow", "CArrowABI", "WireFormat"],
      exclude: ["sample.py"], swiftSettings: swiftSettings),
    .testTarget(
      name: "BinlogTests", dependencies: ["Binlog", "TestSupport", "WireFormat"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ClickHouseEngineTests", dependencies: ["Arrow", "ClickHouseEngine", "MagicCore"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "HTTPServerTests",
      dependencies: [
        "HTTPServer", "MagicClient", "MagicCore", "UnixSocket",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MySQLSchemaTests", dependencies: ["MySQLSchema"], swiftSettings: swiftSettings),
    .testTarget(
      name: "MySQLSourceTests",
      dependencies: [
        "Arrow", "Binlog", "MySQLSchema", "MySQLSource", "RowEncoding", "TestSupport", "WireFormat",
      ], swiftSettings: swiftSettings),
    .testTarget(
      name: "ReplicationTests",
      dependencies: ["Arrow", "Binlog", "MySQLSchema", "Replication", "RowEncoding"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RowEncodingTests",
      dependencies: ["Arrow", "Binlog", "MySQLSchema", "RowEncoding", "TestSupport", "WireFormat"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "WireFormatTests", dependencies: ["WireFormat"], swiftSettings: swiftSettings),
    .testTarget(
      name: "magicTests",
      dependencies: [
        "Binlog", "MySQLSchema", "Replication", "WireFormat", "magic",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6]
)
