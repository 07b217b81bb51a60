import Algebra
import Canonical
import Foundation

/// The envelope in which a holder and its operator's programs speak to each other: a JSON Web Token
/// (RFC 7519) under RS256 whose claim `package_data` is what is said, in base64.
enum PackageToken {
    /// Why a token counts for nothing.
    struct Unfit: Error, Equatable, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// By how much the other clock may be behind, in seconds.
    static let clockTolerance: UInt64 = 30
    private static let header = JSONValue.object([
        "alg": .string("RS256"), "typ": .string("JWT"),
    ])

    /// - Parameters:
    ///   - issuer: who says it.
    ///   - expires: Unix seconds.
    static func seal(
        _ package: [UInt8], issuer: String, expires: UInt64, under key: borrowing RSAKey
    ) -> String {
        let claims = JSONValue.object([
            "package_data": .string(Data(package).base64EncodedString()),
            "exp": .integer(expires), "iss": .string(issuer),
        ])
        let signed = encode(header.bytes) + "." + encode(claims.bytes)
        return signed + "." + encode(key.sign(Array(signed.utf8)))
    }

    /// The package of a token that `key` has signed and that has not expired.
    ///
    /// - Parameter now: Unix seconds.
    static func open(
        _ token: String, under key: RSAPublicKey, now: UInt64
    ) throws(Unfit) -> [UInt8] {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = decode(parts[0]), let claims = decode(parts[1]),
            let signature = decode(parts[2])
        else { throw Unfit("it is no token of three parts") }
        guard let said = try? JSONParser.parse(header), said["alg"] == .string("RS256") else {
            throw Unfit("the token is not signed with RS256")
        }
        guard key.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8)) else {
            throw Unfit("the token is not signed by the server's key")
        }
        guard let content = try? JSONParser.parse(claims),
            case .string(let package)? = content["package_data"],
            let data = Data(base64Encoded: package)
        else { throw Unfit("the token has no package_data in base64") }
        guard case .number(let digits)? = content["exp"],
            // Some write a fraction.
            let end = digits.split(separator: ".").first.flatMap({ UInt64($0) })
        else { throw Unfit("the token does not say when it expires") }
        guard now < end || now - end < clockTolerance else {
            throw Unfit("the token expired at \(end), it is \(now)")
        }
        return Array(data)
    }

    private static func encode(_ bytes: [UInt8]) -> String {
        let text = Data(bytes).base64EncodedString()
        return text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func decode(_ text: Substring) -> [UInt8]? {
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        return Data(base64Encoded: plain + padding).map { Array($0) }
    }
}
