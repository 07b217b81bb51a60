// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    // One flavour for demo, tests and benchmarks: release, with internals open to `@testable`.
    .unsafeFlags(["-enable-testing"]),
]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let rsa: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpc: [Target.Dependency] = [
    .product(name: "GRPCCore", package: "grpc-swift-2"),
    .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
]
let grpcTransport: Target.Dependency = .product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let hummingbird: [Target.Dependency] = [
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

/// One room of the house: ARCHITECTURE.md says what each is for and what it may import.
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: ["README.md"], swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "quorumkeep",
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", exact: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", exact: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CSecp256k1", pkgConfig: "libsecp256k1", providers: [.apt(["libsecp256k1-dev"])]),
        .systemLibrary(
            name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(
            name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        room("Canonical", []),
        room("Algebra", ["Canonical", "CSecp256k1", "CSodium", "CLibCrypto", crypto, rsa]),
        room("KeyGroups", ["Algebra", "Canonical"]),
        room("RecoveryKit", ["Algebra", "Canonical", "KeyGroups"]),
        room("Threshold", ["Algebra", "Canonical", "KeyGroups"]),
        room("Chains", ["Algebra", "Canonical"]),
        room("Intents", ["Algebra", "Canonical", "Chains", "KeyGroups"]),
        room("Identity", ["Algebra", "Canonical", crypto]),
        room(
            "Custody", ["Algebra", "Canonical", "Chains", "Identity", "Intents", "KeyGroups"]),
        room(
            "Storage",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups",
                grdb,
            ]),
        room("Wire", [protobuf] + grpc),
        room(
            "Holder",
            [
                "Algebra", "Canonical", "Chains", "Intents", "KeyGroups", "Threshold", "Wire",
                grpcTransport, logging, protobuf,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + grpc),
        room(
            "HolderStorage",
            [
                "Algebra", "Canonical", "Chains", "Holder", "Intents", "KeyGroups", "Threshold",
                grdb,
            ]),
        room(
            "Workers",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups",
                "Wire", logging, protobuf,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + grpc),
        room("SimulatedChains", ["Algebra", "Canonical", "Chains", logging] + hummingbird),
        room(
            "Gateway",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups",
                logging,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + hummingbird),
        room("Housekeeping", []),
        room(
            "CustodyClient",
            [
                "Algebra", "Canonical", "Gateway", "Identity",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .executableTarget(
            name: "quorumkeep-node",
            dependencies: [
                "Algebra", "Canonical", "Chains", "Holder", "HolderStorage", "Housekeeping",
                "Intents", "KeyGroups", "RecoveryKit", arguments, logging, signals,
            ], exclude: ["README.md"], swiftSettings: settings),
        .executableTarget(
            name: "quorumkeep-recover",
            dependencies: [
                "Algebra", "Canonical", "Chains", "Housekeeping", "KeyGroups", "RecoveryKit",
                arguments,
            ], exclude: ["README.md"], swiftSettings: settings),
        .executableTarget(
            name: "quorumkeep",
            dependencies: [
                "Algebra", "Canonical", "Chains", "Custody", "CustodyClient", "Gateway",
                "Housekeeping", "Identity", "Intents", "KeyGroups", "SimulatedChains", "Storage",
                "Wire", "Workers", arguments, crypto, grpcTransport, logging, signals,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ] + grpc + hummingbird, exclude: ["README.md"], swiftSettings: settings),
        .target(
            name: "TestKit",
            dependencies: [
                "Algebra", "Canonical", "Chains", "Custody", "Holder", "HolderStorage", "Identity",
                "Intents", "KeyGroups", "Storage", "Threshold", grdb,
            ], path: "Tests/TestKit", swiftSettings: settings),
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "TestKit", "Algebra", "CSecp256k1", "CSodium", "Canonical", "Chains", "Custody",
                "CustodyClient", "Gateway", "Identity", "Intents", "KeyGroups", "Storage",
                "Threshold", logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + hummingbird,
            path: "Benchmarks", swiftSettings: settings),
        // What an integrator writes: nothing of ours is imported.
        .executableTarget(
            name: "toy-shop",
            dependencies: [crypto, logging] + hummingbird,
            path: "examples/swift", swiftSettings: settings),
        tests(
            "CustodyTests",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "KeyGroups",
                "Storage", "TestKit", "Threshold", grdb,
            ]),
        tests(
            "GatewayTests",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Gateway", "Identity", "Intents",
                "TestKit", logging,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ] + hummingbird),
        tests(
            "EndToEndTests",
            [
                "Algebra", "Canonical", "Chains", "Custody", "CustodyClient", "Gateway",
                "Housekeeping", "Identity", "Intents", "KeyGroups", "SimulatedChains", "TestKit",
                "Threshold",
                "Workers", "quorumkeep",
                "quorumkeep-node", grdb,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        tests(
            "WorkersTests",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Identity", "Intents", "TestKit",
                "Workers", logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ] + hummingbird),
        tests(
            "RecoveryKitTests",
            [
                "Algebra", "Canonical", "Chains", "Holder", "HolderStorage", "Housekeeping",
                "KeyGroups", "RecoveryKit", "TestKit", "Threshold", "quorumkeep-recover", arguments,
            ]),
        tests("CanonicalTests", ["Algebra", "Canonical", "TestKit"]),
        .target(name: "CMemcheck", path: "Assurance/CMemcheck"),
        .executableTarget(
            name: "ConstantTime",
            dependencies: ["Algebra", "CMemcheck", "Canonical", "KeyGroups", "Threshold"],
            path: "Assurance/ConstantTime", swiftSettings: settings),
        .target(
            name: "CReference", path: "Tests/CReference",
            linkerSettings: [.linkedLibrary("crypto")]),
        tests("AlgebraTests", ["Algebra", "CReference", "CSecp256k1", "Canonical", "TestKit"]),
        tests("ChainsTests", ["Algebra", "Canonical", "Chains", "KeyGroups", "TestKit"]),
        tests(
            "IntentsTests",
            ["Algebra", "Canonical", "Chains", "Intents", "KeyGroups", "TestKit"]),
        tests(
            "HolderTests",
            [
                "Holder", "HolderStorage", "Intents", "KeyGroups", "Threshold", "Chains", "Algebra",
                "Canonical", "TestKit", logging,
            ]),
        tests(
            "AdversaryTests",
            [
                "Algebra", "Canonical", "Chains", "Holder", "HolderStorage", "Intents", "KeyGroups",
                "TestKit", "Threshold",
            ]),
        tests(
            "FuzzTests",
            [
                "Algebra", "Canonical", "Chains", "Custody", "Gateway", "Holder", "Identity",
                "Intents", "KeyGroups", "TestKit", "Threshold", "Wire", "quorumkeep-node", protobuf,
            ]),
        tests("TidyTests", []),
        tests("ThresholdTests", ["Threshold", "Algebra", "Canonical", "KeyGroups", "TestKit"]),
    ]
)
