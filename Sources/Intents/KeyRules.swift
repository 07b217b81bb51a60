import Algebra
import Canonical
import KeyGroups

/// What a holder lets be done with keys, whoever asks and whoever confirms: the operator's word, in
/// the rules file. What is left out is not restricted.
public struct KeyRules: Equatable, Sendable {
    /// Keys that may be made; nil if any may that a person confirms.
    public let generation: [AllowedGroup]?
    /// Keys that may be dealt to whom; nil if any may that a person confirms.
    public let resharing: [AllowedGroup]?
    public let rejectsSigning: Bool
    public let rejectsCheckUps: Bool

    /// Holders that may have shares together, and of what key.
    public struct AllowedGroup: Equatable, Sendable {
        /// The root public key, encoded as in its group's form; nil of a key that is to be made.
        public let publicKey: [UInt8]?
        public let threshold: Int
        public let holders: Set<IdentityPublicKey>
    }

    public init(
        generation: [AllowedGroup]? = nil, resharing: [AllowedGroup]? = nil,
        rejectsSigning: Bool = false, rejectsCheckUps: Bool = false
    ) {
        self.generation = generation
        self.resharing = resharing
        self.rejectsSigning = rejectsSigning
        self.rejectsCheckUps = rejectsCheckUps
    }
}

extension Judge {
    /// The operator's word about keys stands before everything that depends on a key.
    func checkKeyRules(_ purpose: Intent.Purpose) throws(Stop) {
        switch purpose {
        case .transfer, .contractCall, .message:
            guard !rules.keys.rejectsSigning else {
                throw refuse(.signingNotAllowed, "This holder's rules let it sign nothing.")
            }
        case .keyCeremony(let ceremony) where ceremony.occasion == .keyGeneration:
            guard rules.keys.generation.map({ $0.contains { $0.admits(ceremony) } }) ?? true else {
                throw refuse(
                    .keyGenerationNotAllowed,
                    "This holder's rules let no key be made by these holders and threshold.")
            }
        case .keyCeremony(let ceremony):
            guard rules.keys.resharing.map({ $0.contains { $0.admits(ceremony) } }) ?? true else {
                throw refuse(
                    .resharingNotAllowed,
                    "This holder's rules let this key not be dealt to these holders with this "
                        + "threshold.")
            }
        case .announcement: break
        }
    }
}

extension KeyRules.AllowedGroup {
    fileprivate func admits(_ ceremony: KeyCeremony) -> Bool {
        let form: ExtendedPublicKey.Form = ceremony.scheme == .ed25519 ? .ed25519 : .secp256k1
        return threshold == ceremony.threshold.required
            && holders == Set(ceremony.holders.identities)
            && publicKey == ceremony.source.map { form.serialized($0.publicKey) }
    }
}

/// One rule about keys as it stands in the rules file.
public struct KeyRuleFile: Codable, Sendable {
    /// Most groups that one rule allows.
    public static let allowedMost = 64

    public let rejectAll: Bool?
    public let allow: [Allowed]?

    public struct Allowed: Codable, Sendable {
        /// `xpub…` of the root, of a key that exists.
        public let publicKey: String?
        public let threshold: Int
        /// Identities, hexadecimal.
        public let holders: [String]
    }

    /// The groups that are allowed; nil if nothing is restricted.
    ///
    /// - Parameter namesKeys: whether each group must say of what key.
    func groups(
        _ name: String, namesKeys: Bool
    ) throws(HolderRulesFile.Invalid) -> [KeyRules.AllowedGroup]? {
        if rejectAll == true { return [] }
        guard let allow else { return nil }
        guard allow.count <= Self.allowedMost else {
            throw HolderRulesFile.Invalid("\(name).allow: at most \(Self.allowedMost) expected")
        }
        var groups: [KeyRules.AllowedGroup] = []
        for allowed in allow { groups.append(try allowed.group(name, namesKeys: namesKeys)) }
        return groups
    }

    /// Of a rule that knows nothing but yes and no.
    func rejects(_ name: String) throws(HolderRulesFile.Invalid) -> Bool {
        guard allow == nil else {
            throw HolderRulesFile.Invalid("\(name): only rejectAll is known here")
        }
        return rejectAll ?? false
    }
}

extension KeyRuleFile.Allowed {
    fileprivate func group(
        _ name: String, namesKeys: Bool
    ) throws(HolderRulesFile.Invalid) -> KeyRules.AllowedGroup {
        var identities: Set<IdentityPublicKey> = []
        for text in holders {
            guard let identity = IdentityPublicKey(hex: text), identities.insert(identity).inserted
            else {
                throw HolderRulesFile.Invalid(
                    "\(name).allow.holders: different identities of 64 hexadecimal digits expected")
            }
        }
        guard SigningThreshold(threshold, of: identities.count) != nil else {
            throw HolderRulesFile.Invalid(
                "\(name).allow.threshold: 2 to the number of holders expected, who are 20 at most")
        }
        let root = publicKey.flatMap { ExtendedPublicKey(text: $0) }
        guard namesKeys ? root?.depth == 0 : publicKey == nil else {
            throw HolderRulesFile.Invalid(
                namesKeys
                    ? "\(name).allow.publicKey: the root's xpub… expected"
                    : "\(name).allow.publicKey: a key that is to be made has none yet")
        }
        return KeyRules.AllowedGroup(
            publicKey: root?.key, threshold: threshold, holders: identities)
    }
}
