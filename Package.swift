// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "magic",
  targets: [
    // L0
    .target(name: "WireFormat", dependencies: ["CZlib"], swiftSettings: swiftSettings),
    .target(name: "Threads", swiftSettings: swiftSettings),
    .target(name: "CArrowABI"),
    .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CEdit"),
    // L1
    .target(name: "Arrow", dependencies: ["CArrowABI", "WireFormat"], swiftSettings: swiftSettings),
    .target(name: "Binlog", dependencies: ["WireFormat", "CZstd", "CZlib"], swiftSettings: swiftSettings),
    .target(name: "MySQLSchema", swiftSettings: swiftSettings),
    // L2
    .target(
      name: "RowEncoding", dependencies: ["Arrow", "Binlog", "MySQLSchema", "WireFormat"],
      swiftSettings: swiftSettings),
    .target(name: "MagicCore", dependencies: ["Arrow"], swiftSettings: swiftSettings),
    // L3
    .target(
      name: "ClickHouseEngine", dependencies: ["Arrow", "CArrowABI", "MagicCore", "Threads"],
      swiftSettings: swiftSettings),
    .target(
      name: "MySQLSource",
      dependencies: [
        "Arrow", "Binlog", "CMariaDB", "CZlib", "MySQLSchema", "RowEncoding", "Threads", "WireFormat",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Replication",
      dependencies: ["Arrow", "Binlog", "MagicCore", "MySQLSchema", "RowEncoding", "WireFormat"],
      swiftSettings: swiftSettings),
    // L5
    .executableTarget(
      name: "magic-bench", dependencies: ["Arrow", "Binlog", "MySQLSchema", "RowEncoding"],
      path: "Benchmarks/magic-bench", swiftSettings: swiftSettings),
    // Tests
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .testTarget(
      name: "ArrowTests", dependencies: ["Arrow", "CArrowABI", "WireFormat"],
      exclude: ["sample.py"], swiftSettings: swiftSettings),
    .testTarget(name: "BinlogTests", dependencies: ["Binlog", "WireFormat"], swiftSettings: swiftSettings),
    .testTarget(name: "MySQLSchemaTests", dependencies: ["MySQLSchema"], swiftSettings: swiftSettings),
    .testTarget(
      name: "MySQLSourceTests",
      dependencies: [
        "Arrow", "Binlog", "MySQLSchema", "MySQLSource", "RowEncoding", "TestSupport", "WireFormat",
      ], swiftSettings: swiftSettings),
    .testTarget(
      name: "ReplicationTests",
      dependencies: ["Arrow", "Binlog", "MySQLSchema", "Replication", "RowEncoding"],
      swiftSettings: swiftSettings),
    .testTarget(name: "WireFormatTests", dependencies: ["WireFormat"], swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6]
)
