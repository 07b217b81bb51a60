import Algebra

/// What is public about a key and its sharing: everything that a certificate speaks of.
public struct SharedKey<Scheme: KeyScheme>: Equatable, Sendable {
    public static var chainCodeBytes: Int { 32 }

    public let threshold: SigningThreshold
    /// The joint public key Y.
    public let publicKey: Scheme.Group.Point
    /// BIP 32's chain code.
    public let chainCode: [UInt8]
    /// Xⱼ of every holder.
    public let verifyingShares: [ParticipantIndex: Scheme.Group.Point]

    public var indices: [ParticipantIndex] { verifyingShares.keys.sorted() }

    /// Nil unless the shares are as many as the threshold has holders, with a chain code of 32
    /// bytes.
    public init?(
        threshold: SigningThreshold, publicKey: Scheme.Group.Point, chainCode: [UInt8],
        verifyingShares: [ParticipantIndex: Scheme.Group.Point]
    ) {
        guard verifyingShares.count == threshold.holders, chainCode.count == Self.chainCodeBytes
        else { return nil }
        self.threshold = threshold
        self.publicKey = publicKey
        self.chainCode = chainCode
        self.verifyingShares = verifyingShares
    }

    /// Reads the encoded points; nil as above, or if one is none.
    init?(
        threshold: SigningThreshold, publicKey: [UInt8], chainCode: [UInt8],
        verifyingShares: [ParticipantIndex: [UInt8]]
    ) {
        let shares = verifyingShares.compactMapValues { Scheme.Group.Point(compressed: $0) }
        guard let key = Scheme.Group.Point(compressed: publicKey) else { return nil }
        self.init(
            threshold: threshold, publicKey: key, chainCode: chainCode, verifyingShares: shares)
    }

    /// Whether every set of as many holders as must sign interpolates to the public key: it is
    /// enough that each window of consecutive holders does.
    public var isConsistent: Bool {
        let indices = indices
        return (0...threshold.holders - threshold.required).allSatisfy { start in
            let members = Array(indices[start..<start + threshold.required])
            let terms = members.compactMap { index in
                verifyingShares[index]?.variableTimeTimes(
                    Sharing<Scheme.Group>.lagrange(index, in: members))
            }
            return terms.count == members.count && Scheme.Group.Point.sum(terms) == publicKey
        }
    }
}

/// A shared key of whichever scheme, its points encoded: what a certificate or a row holds.
public struct AnySharedKey: Equatable, Sendable {
    public let scheme: SignatureScheme
    public let threshold: SigningThreshold
    public let publicKey: [UInt8]
    public let chainCode: [UInt8]
    public let verifyingShares: [ParticipantIndex: [UInt8]]

    public var indices: [ParticipantIndex] { verifyingShares.keys.sorted() }

    /// Nil unless the points are points of the scheme's group, as many as the threshold has
    /// holders, and the chain code has 32 bytes.
    public init?(
        _ scheme: SignatureScheme, threshold: SigningThreshold, publicKey: [UInt8],
        chainCode: [UInt8], verifyingShares: [ParticipantIndex: [UInt8]]
    ) {
        func isKey<Scheme: KeyScheme>(_: Scheme.Type) -> Bool {
            SharedKey<Scheme>(
                threshold: threshold, publicKey: publicKey, chainCode: chainCode,
                verifyingShares: verifyingShares) != nil
        }
        guard isKey(scheme.type) else { return nil }
        self.scheme = scheme
        self.threshold = threshold
        self.publicKey = publicKey
        self.chainCode = chainCode
        self.verifyingShares = verifyingShares
    }

    public init<Scheme: KeyScheme>(_ key: SharedKey<Scheme>) {
        scheme = Scheme.scheme
        threshold = key.threshold
        publicKey = key.publicKey.compressed
        chainCode = key.chainCode
        verifyingShares = key.verifyingShares.mapValues(\.compressed)
    }

    /// The key, or nil if it is of another scheme.
    public func key<Scheme: KeyScheme>(of _: Scheme.Type) -> SharedKey<Scheme>? {
        guard scheme == Scheme.scheme else { return nil }
        return SharedKey(
            threshold: threshold, publicKey: publicKey, chainCode: chainCode,
            verifyingShares: verifyingShares)
    }

    /// As `SharedKey.isConsistent`.
    public var isConsistent: Bool {
        func check<Scheme: KeyScheme>(_ type: Scheme.Type) -> Bool {
            key(of: type)?.isConsistent ?? false
        }
        return check(scheme.type)
    }
}
