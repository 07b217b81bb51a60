import Crypto
import Foundation
import Housekeeping
import SwiftASN1
import X509

/// An authority and a certificate for localhost, for development.
enum DevCertificates {
    private static let authorityDays = 3650.0
    private static let serverDays = 825.0
    private static let day = 86_400.0

    /// Writes `ca.pem`, `server.pem` and `server-key.pem`. The authority's key is thrown away.
    static func write(to directory: URL) throws {
        let now = Date()
        let authorityKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let authorityName = try DistinguishedName { CommonName("Quorumkeep development authority") }
        let authority = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: authorityKey.publicKey,
            notValidBefore: now - day, notValidAfter: now + authorityDays * day,
            issuer: authorityName, subject: authorityName,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
            }, issuerPrivateKey: authorityKey)
        let serverKey = P256.Signing.PrivateKey()
        let server = try Certificate(
            version: .v3, serialNumber: .init(),
            publicKey: Certificate.PrivateKey(serverKey).publicKey,
            notValidBefore: now - day, notValidAfter: now + serverDays * day,
            issuer: authorityName, subject: try DistinguishedName { CommonName("localhost") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames([
                    .dnsName("localhost"),
                    .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                ])
            }, issuerPrivateKey: authorityKey)
        func save(_ text: String, _ name: String) throws {
            try PrivateFile.write(Data("\(text)\n".utf8), to: directory.appending(path: name))
        }
        try save(try authority.serializeAsPEM().pemString, "ca.pem")
        try save(try server.serializeAsPEM().pemString, "server.pem")
        try save(serverKey.pemRepresentation, "server-key.pem")
    }
}
