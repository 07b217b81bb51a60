/// A range of IP addresses in CIDR form, `192.0.2.0/24` or `2001:db8::/32`. An IPv4 range has only
/// IPv4 addresses, an IPv6 range only IPv6 ones.
public struct AddressRange: Hashable, Sendable {
    public let address: IPAddress
    /// How many leading bits all its addresses share.
    public let prefix: Int

    /// Why a text is no range.
    public enum Malformed: Error, Equatable, Sendable {
        /// There is no `/` with a plain number after it that fits the address.
        case prefix
        /// What stands before it is no IPv4 or IPv6 address in its strict form.
        case address
        /// Bits behind the prefix are set: which addresses are meant is not certain.
        case hostBits
    }

    public init(_ text: String) throws(Malformed) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = IPAddress.parse(parts[0]) else { throw .address }
        guard parts.count == 2, let prefix = Int(parts[1]), String(prefix) == parts[1],
            (0...bytes.count * 8).contains(prefix)
        else { throw .prefix }
        let isClean = bytes.enumerated().allSatisfy { at, byte in
            byte & ~Self.mask(prefix - 8 * at) == 0
        }
        guard isClean else { throw .hostBits }
        // Only what is wholly mapped is IPv4: a shorter prefix has set bits behind it, see above.
        address = IPAddress(unnormalised: bytes)
        self.prefix = prefix - 8 * (bytes.count - address.bytes.count)
    }

    /// The first bits of a byte.
    private static func mask(_ bits: Int) -> UInt8 {
        bits >= 8 ? 0xff : bits <= 0 ? 0 : ~(0xff >> UInt8(bits))
    }

    public func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        return zip(address.bytes, other.bytes).enumerated().allSatisfy { at, pair in
            (pair.0 ^ pair.1) & Self.mask(prefix - 8 * at) == 0
        }
    }

    /// Whether every address of the other range is of this one.
    public func contains(_ other: AddressRange) -> Bool {
        prefix <= other.prefix && contains(other.address)
    }

    public var text: String { "\(address.text)/\(prefix)" }
}

extension IPAddress {
    /// Who has sent a request that may have come through proxies. Each proxy adds the address that
    /// it heard from at the end of `X-Forwarded-For`; what stands left of the first that is not
    /// trusted, anybody may have written.
    ///
    /// - Parameters:
    ///   - peer: the other end of the connection.
    ///   - forwarded: the header's values, in their order.
    /// - Returns: nil if it is not certain: a trusted proxy wrote something that is no address.
    public static func client(
        peer: IPAddress, forwarded: [String], trusting trusted: [AddressRange]
    ) -> IPAddress? {
        var client = peer
        let hops = forwarded.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        for hop in hops.reversed() {
            guard trusted.contains(where: { $0.contains(client) }) else { break }
            let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
            let trimmed = hop.drop(while: blank).reversed().drop(while: blank).reversed()
            guard let address = IPAddress(String(trimmed)) else { return nil }
            client = address
        }
        return client
    }
}
