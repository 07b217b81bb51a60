import Algebra
import Foundation
import Holder
import Housekeeping

/// `callback` in node.json: the operator's servers, each of which must approve what is signed.
struct CallbackConfiguration: Codable {
    static let serversMost = 16
    static let addressMost = 256
    static let keys: Set = [
        "servers", "tokenExpireMinutes", "retryTimes", "sleepSeconds", "requestTimeoutSeconds",
    ]
    static let serverKeys: Set = ["serviceAddress", "publicKeyPath"]

    var servers: [Server]
    var tokenExpireMinutes: Int?
    var retryTimes: Int?
    var sleepSeconds: Int?
    var requestTimeoutSeconds: Int?

    struct Server: Codable {
        /// `http://host:port` or `https://host:port`, without a path.
        var serviceAddress: String
        /// PEM file of the key that signs its answers; from the data directory if it is relative.
        var publicKeyPath: String
    }

    struct Settings {
        let targets: [CallbackTarget]
        let patience: CallbackPatience
    }

    /// What the file says, or what is wrong with it and where.
    func settings(in directory: NodeDirectory) throws -> Settings {
        guard (1...Self.serversMost).contains(servers.count) else {
            throw CommandFailure(
                "node.json: callback.servers must name 1 to \(Self.serversMost) servers")
        }
        let patience = try CallbackPatience(
            "callback", CallbackPatience(), minutes: tokenExpireMinutes, retries: retryTimes,
            sleep: sleepSeconds, timeout: requestTimeoutSeconds)
        let targets = try servers.map { try $0.target(in: directory) }
        guard Set(targets.map(\.server)).count == targets.count else {
            throw CommandFailure("node.json: callback.servers names a server twice")
        }
        return Settings(targets: targets, patience: patience)
    }
}

/// `events` in node.json: the operator's servers that are told what becomes of requests.
struct EventsConfiguration: Codable {
    static let serverKeys: Set = ["serviceAddress"]

    var servers: [Server]
    var tokenExpireMinutes: Int?
    var retryTimes: Int?
    var sleepSeconds: Int?
    var requestTimeoutSeconds: Int?

    struct Server: Codable {
        /// `http://host:port` or `https://host:port`, without a path.
        var serviceAddress: String
    }

    struct Settings {
        let servers: [EventServer]
        let patience: CallbackPatience
    }

    /// What the section says, or what is wrong with it and where.
    func settings() throws -> Settings {
        guard (1...CallbackConfiguration.serversMost).contains(servers.count) else {
            throw CommandFailure(
                "node.json: events.servers must name 1 to \(CallbackConfiguration.serversMost) "
                    + "servers")
        }
        for server in servers {
            try CallbackConfiguration.check(server.serviceAddress, in: "events")
        }
        let named = servers.map { EventServer(address: $0.serviceAddress) }
        guard Set(named).count == named.count else {
            throw CommandFailure("node.json: events.servers names a server twice")
        }
        let patience = try CallbackPatience(
            "events", .events, minutes: tokenExpireMinutes, retries: retryTimes,
            sleep: sleepSeconds, timeout: requestTimeoutSeconds)
        return Settings(servers: named, patience: patience)
    }
}

extension CallbackPatience {
    /// What a section of node.json sets, and the rest as in `patience`.
    ///
    /// - Throws: what is out of its range.
    fileprivate init(
        _ section: String, _ patience: CallbackPatience, minutes: Int?, retries: Int?, sleep: Int?,
        timeout: Int?
    ) throws {
        self = patience
        for (name, value, range, path) in [
            ("tokenExpireMinutes", minutes, Self.tokenMinutes, \CallbackPatience.tokenMinutes),
            ("retryTimes", retries, Self.retries, \.retries),
            ("sleepSeconds", sleep, Self.sleepSeconds, \.sleepSeconds),
            ("requestTimeoutSeconds", timeout, Self.timeoutSeconds, \.timeoutSeconds),
        ] {
            guard let value else { continue }
            guard range.contains(value) else {
                throw CommandFailure(
                    "node.json: \(section).\(name) must be \(range.lowerBound) to "
                        + "\(range.upperBound)")
            }
            self[keyPath: path] = value
        }
    }
}

extension CallbackConfiguration {
    /// Whether what is said to the server passes a network in clear.
    static func isOpen(_ address: String) -> Bool {
        guard let parts = URLComponents(string: address), parts.scheme == "http" else {
            return false
        }
        let host = parts.host ?? ""
        return !["localhost", "127.0.0.1", "[::1]", "::1"].contains(host)
    }

    fileprivate static func check(_ address: String, in section: String) throws {
        guard let parts = URLComponents(string: address),
            ["http", "https"].contains(parts.scheme), parts.host?.isEmpty == false,
            parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil,
            parts.path.isEmpty, address.utf8.count <= addressMost
        else {
            throw CommandFailure(
                "node.json: \(section).servers: \(address) must be http://host:port or "
                    + "https://host:port, without a path")
        }
    }
}

extension CallbackConfiguration.Server {
    func target(in directory: NodeDirectory) throws -> CallbackTarget {
        try CallbackConfiguration.check(serviceAddress, in: "callback")
        let file =
            publicKeyPath.hasPrefix("/")
            ? URL(filePath: publicKeyPath) : directory.url.appending(path: publicKeyPath)
        guard let data = FileManager.default.contents(atPath: file.path),
            data.count <= RSAPublicKey.byteLimit
        else {
            throw CommandFailure(
                "cannot read \(file.path), the public key of \(serviceAddress): save there what "
                    + "its operator gave you")
        }
        do {
            return CallbackTarget(
                address: serviceAddress,
                key: try RSAPublicKey(pem: String(decoding: data, as: UTF8.self)))
        } catch {
            throw CommandFailure("\(file.path): \(error)")
        }
    }
}
