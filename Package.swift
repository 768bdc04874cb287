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
    .library(name: "adbc_driver_magic", type: .dynamic, targets: ["adbc_driver_magic"]),
    // For the fuzz targets, which are a package of their own.
    .library(
      name: "Decoders",
      targets: [
        "Arrow", "Backup", "Binlog", "ClickHouseEngine", "FlightServer", "HTTPServer",
        "LatchService", "Latches", "MySQLSchema",
        "RowEncoding", "WireFormat",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "5.0.1"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
  ],
  targets: [
    // L0
    .target(name: "WireFormat", dependencies: ["CDeflate"], swiftSettings: swiftSettings),
    .target(name: "Threads", swiftSettings: swiftSettings),
    .target(name: "Latches", swiftSettings: swiftSettings),
    .target(name: "CArrowABI"),
    .target(name: "CConsole"),
    .target(name: "CLoader"),
    .systemLibrary(name: "CCrypt"),
    .systemLibrary(name: "CCrypto"),
    .systemLibrary(name: "CDeflate"),
    .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb"),
    .systemLibrary(name: "CLZ4"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CEdit"),
    .target(name: "UnixSocket", swiftSettings: swiftSettings),
    .target(
      name: "Compression", dependencies: ["CLZ4", "CZlib", "CZstd"], swiftSettings: swiftSettings),
    .target(
      name: "PrometheusMetrics",
      dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
      swiftSettings: swiftSettings),
    .target(
      name: "ProtobufCoding",
      dependencies: [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: swiftSettings),
    // L1
    .target(
      name: "Arrow", dependencies: ["CArrowABI", "Compression", "WireFormat"],
      swiftSettings: swiftSettings),
    .target(
      name: "Binlog", dependencies: ["CCrypto", "CZlib", "CZstd", "WireFormat"],
      swiftSettings: swiftSettings),
    .target(name: "MySQLSchema", swiftSettings: swiftSettings),
    .target(
      name: "TLSCertificates",
      dependencies: [
        "Threads",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "LatchProtocol",
      dependencies: [
        "Latches", "ProtobufCoding",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["magic_latch_v1.proto"],
      swiftSettings: swiftSettings),
    .target(
      name: "EtcdClient",
      dependencies: [
        "ProtobufCoding",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["etcd.proto"],
      swiftSettings: swiftSettings),
    // L2
    .target(
      name: "LatchClient",
      dependencies: [
        "LatchProtocol", "Latches", "ProtobufCoding",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "RowEncoding", dependencies: ["Arrow", "Binlog", "MySQLSchema", "WireFormat"],
      swiftSettings: swiftSettings),
    .target(name: "MagicCore", dependencies: ["Arrow"], swiftSettings: swiftSettings),
    // L3
    .target(
      name: "ClickHouseEngine",
      dependencies: ["Arrow", "CArrowABI", "CLoader", "MagicCore", "Threads", "WireFormat"],
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
    .target(
      name: "MagicAPI",
      dependencies: [
        "Arrow", "Binlog", "CCrypt", "MagicCore", "Threads",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "GatheringTransport",
      dependencies: [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: swiftSettings),
    // L4
    .target(
      name: "Backup", dependencies: ["CCrypto", "MagicCore", "Replication"],
      swiftSettings: swiftSettings),
    .target(
      name: "FlightServer",
      dependencies: [
        "Arrow", "GatheringTransport", "MagicAPI", "MagicCore", "ProtobufCoding", "WireFormat",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Protocol/Flight.proto", "Protocol/FlightSQL.proto"],
      swiftSettings: swiftSettings),
    .target(
      name: "HTTPServer",
      dependencies: [
        "Arrow", "CConsole", "Compression", "MagicAPI", "MagicCore", "TLSCertificates",
        "UnixSocket", "WireFormat",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "LatchService",
      dependencies: [
        "EtcdClient", "GatheringTransport", "LatchClient", "LatchProtocol", "Latches",
        "ProtobufCoding", "Threads", "WireFormat",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Storage/stored_latches.proto"],
      swiftSettings: swiftSettings),
    .target(
      name: "LocalDatabase",
      dependencies: [
        "ClickHouseEngine", "MagicCore", "UnixSocket",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "MagicClient",
      dependencies: [
        "Arrow", "MagicAPI", "MagicCore", "UnixSocket", "WireFormat",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: swiftSettings),
    // L5
    .executableTarget(
      name: "magic",
      dependencies: [
        "Arrow", "Backup", "Binlog", "CEdit", "CZlib", "ClickHouseEngine", "Compression",
        "EtcdClient", "FlightServer", "GatheringTransport", "HTTPServer", "LatchClient",
        "LatchService", "Latches", "LocalDatabase", "MagicAPI", "MagicClient",
        "MagicCore", "MySQLSchema", "MySQLSource", "PrometheusMetrics", "Replication",
        "RowEncoding", "TLSCertificates", "Threads", "UnixSocket", "WireFormat",
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        "Yams",
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "magic-bench",
      dependencies: [
        "Arrow", "Binlog", "LatchClient", "LatchService", "Latches", "MySQLSchema", "RowEncoding",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Benchmarks/magic-bench", swiftSettings: swiftSettings),
    .target(
      name: "MagicADBC",
      dependencies: [
        "Arrow", "CArrowABI", "LocalDatabase", "MagicAPI", "MagicClient", "MagicCore", "Threads",
        "UnixSocket",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "adbc_driver_magic", dependencies: ["CArrowABI", "MagicADBC"],
      exclude: ["exports.map"], swiftSettings: swiftSettings,
      // Other programs load it: it brings its own Swift runtime, shows only its entry points, and
      // stays loaded, because its threads do.
      linkerSettings: [
        .unsafeFlags([
          "-static-stdlib", "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "nodelete",
          "-Xlinker", "-z", "-Xlinker", "defs", "-Xlinker", "--gc-sections", "-Xlinker",
          "--version-script=\(Context.packageDirectory)/Sources/adbc_driver_magic/exports.map",
        ]),
        // What the static Foundation needs.
        .linkedLibrary("_FoundationICU"), .linkedLibrary("_FoundationCollections"),
        .linkedLibrary("_FoundationCShims"), .linkedLibrary("CoreFoundation"),
      ]),
    // Tests
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .testTarget(
      name: "ArrowTests", dependencies: ["Arrow", "CArrowABI", "WireFormat"],
      exclude: ["sample.py"], swiftSettings: swiftSettings),
    .testTarget(
      name: "BackupTests",
      dependencies: ["Backup", "Binlog", "MagicCore", "MySQLSchema", "Replication"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "BinlogTests", dependencies: ["Binlog", "TestSupport", "WireFormat"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ClickHouseEngineTests",
      dependencies: [
        "Arrow", "ClickHouseEngine", "MagicAPI", "MagicCore",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "FlightServerTests",
      dependencies: [
        "Arrow", "FlightServer", "GatheringTransport", "MagicAPI", "MagicCore", "ProtobufCoding",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCInProcessTransport", package: "grpc-swift-2"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "GatheringTransportTests",
      dependencies: [
        "GatheringTransport", "TLSCertificates", "TestSupport",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "LocalDatabaseTests", dependencies: ["LocalDatabase"], swiftSettings: swiftSettings),
    .testTarget(
      name: "MagicAPITests",
      dependencies: [
        "Arrow", "ClickHouseEngine", "MagicAPI", "MagicCore",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MagicADBCTests",
      dependencies: ["Arrow", "CArrowABI", "MagicADBC", "MagicAPI", "MagicCore"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "HTTPServerTests",
      dependencies: [
        "Arrow", "Compression", "HTTPServer", "MagicAPI", "MagicClient", "MagicCore", "UnixSocket",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "PrometheusMetricsTests",
      dependencies: [
        "PrometheusMetrics", .product(name: "CoreMetrics", package: "swift-metrics"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MySQLSchemaTests", dependencies: ["MySQLSchema", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MySQLSourceTests",
      dependencies: [
        "Arrow", "Binlog", "MySQLSchema", "MySQLSource", "RowEncoding", "TestSupport", "WireFormat",
      ], swiftSettings: swiftSettings),
    .testTarget(
      name: "ReplicationTests",
      dependencies: ["Arrow", "Binlog", "MagicCore", "MySQLSchema", "Replication", "RowEncoding"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RowEncodingTests",
      dependencies: ["Arrow", "Binlog", "MySQLSchema", "RowEncoding", "TestSupport", "WireFormat"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "TLSCertificatesTests",
      dependencies: [
        "TLSCertificates", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "LatchServiceTests",
      dependencies: [
        "EtcdClient", "GatheringTransport", "LatchClient", "LatchService", "Latches",
        "TLSCertificates", "TestSupport",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(name: "LatchesTests", dependencies: ["Latches"], swiftSettings: swiftSettings),
    .testTarget(
      name: "WireFormatTests", dependencies: ["WireFormat"], swiftSettings: swiftSettings),
    .testTarget(
      name: "magicTests",
      dependencies: [
        "Binlog", "LocalDatabase", "MagicAPI", "MySQLSchema", "PrometheusMetrics", "Replication",
        "WireFormat", "magic",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6]
)
