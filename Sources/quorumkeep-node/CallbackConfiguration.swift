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
        var patience = CallbackPatience()
        for (name, value, range, path) in [
            (
                "tokenExpireMinutes", tokenExpireMinutes, CallbackPatience.tokenMinutes,
                \CallbackPatience.tokenMinutes
            ),
            ("retryTimes", retryTimes, CallbackPatience.retries, \.retries),
            ("sleepSeconds", sleepSeconds, CallbackPatience.sleepSeconds, \.sleepSeconds),
            (
                "requestTimeoutSeconds", requestTimeoutSeconds, CallbackPatience.timeoutSeconds,
                \.timeoutSeconds
            ),
        ] {
            guard let value else { continue }
            guard range.contains(value) else {
                throw CommandFailure(
                    "node.json: callback.\(name) must be \(range.lowerBound) to "
                        + "\(range.upperBound)")
            }
            patience[keyPath: path] = value
        }
        let targets = try servers.map { try $0.target(in: directory) }
        guard Set(targets.map(\.server)).count == targets.count else {
            throw CommandFailure("node.json: callback.servers names a server twice")
        }
        return Settings(targets: targets, patience: patience)
    }
}

extension CallbackConfiguration.Server {
    func target(in directory: NodeDirectory) throws -> CallbackTarget {
        let parts = URLComponents(string: serviceAddress)
        guard let parts, ["http", "https"].contains(parts.scheme), parts.host?.isEmpty == false,
            parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil,
            parts.path.isEmpty, serviceAddress.utf8.count <= CallbackConfiguration.addressMost
        else {
            throw CommandFailure(
                "node.json: callback.servers: \(serviceAddress) must be http://host:port or "
                    + "https://host:port, without a path")
        }
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
