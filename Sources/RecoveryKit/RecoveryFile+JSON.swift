import Algebra
import Canonical
import Foundation  // base64
import KeyGroups

/// The form of Cobo's recovery kits, so that a tool which is not ours can open a file and check it
/// (CoboGlobal/cobo-mpc-recovery-kits: `pkg/tss/group.go`, `cmd/verify.go`, `pkg/cipher/kdf.go`
/// and `pkg/cipher/aes_gcm.go` have names and encodings; written from these, not copied).
///
///     {"recovery_groups": [{
///       "version": 1,
///       "group_info": {
///         "id", "created_time", "type": 1, "root_extended_public_key": "xpub…",
///         "chaincode": "0x…", "curve": "secp256k1", "threshold": 2,
///         "participants": [{"node_id", "share_id": "1", "share_public_key": "0x…"}, …],
///         "epoch": 1, "certificate": base64},
///       "share_info": {
///         "node_id", "share_id", "share_public_key",
///         "encrypted_share": base64 of nonce ‖ ciphertext ‖ tag,
///         "kdf": {"length": 32, "iterations", "salt": "0x…", "hash_type", "hash_name"}}}]}
///
/// Version 1, which every version of that tool opens: what is sealed is the share's 32 bytes,
/// big-endian. Node ids are identity keys, share ids are indices. `epoch` and `certificate` are
/// ours; Go's reader passes over what it does not know. Ours refuses it: what a file says in clear
/// must be what its certificate says, spelt as we spell it, in any order.
extension RecoveryFile {
    private static let version = 1
    private static let createdMost = 40

    public var bytes: [UInt8] {
        let groups = entries.map { entry in
            JSONValue.object([
                "version": .integer(Self.version),
                "group_info": entry.group.json(created: created),
                "share_info": Self.shareInfo(entry, stretch),
            ])
        }
        return JSONValue.object(["recovery_groups": .array(groups)]).bytes + [UInt8(ascii: "\n")]
    }

    /// Reads a file, without its passphrase: everything but what is sealed is checked.
    public init(_ bytes: [UInt8]) throws(RecoveryFault) {
        guard bytes.count <= Self.byteLimit else {
            throw .malformed("it has more than \(Self.byteLimit) bytes")
        }
        let value: JSONValue
        do throws(MalformedJSON) {
            value = try JSONParser.parse(bytes)
        } catch {
            throw .malformed("\(error.reason) (byte \(error.at))")
        }
        guard case .object(let members) = value, members.count == 1,
            case .array(let groups) = value["recovery_groups"]
        else { throw .malformed("it is not a list 'recovery_groups' and nothing else") }
        guard (1...Self.groupsMost).contains(groups.count) else {
            throw .malformed("it has \(groups.count) keys, not 1 to \(Self.groupsMost)")
        }
        var files: [RecoveryFile] = []
        for group in groups { files.append(try Self.one(group)) }
        guard let first = files.first,
            files.allSatisfy({ $0.stretch == first.stretch && $0.created == first.created })
        else { throw .malformed("its keys were not sealed together") }
        let entries = files.flatMap(\.entries)
        guard Set(entries.map(\.group.id)).count == entries.count else {
            throw .malformed("one key stands twice in it")
        }
        self.init(entries, created: first.created, first.stretch)
    }

    /// One key of a file, as a file of its own.
    private static func one(_ value: JSONValue) throws(RecoveryFault) -> RecoveryFile {
        guard value["version"] == .integer(version) else {
            throw .malformed("it is of a version other than \(version)")
        }
        guard let info = value["group_info"],
            let certificate = info["certificate"]?.base64(most: KeyCertificate.byteLimit),
            case .string(let created) = info["created_time"],
            created.utf8.count <= createdMost
        else { throw .malformed("'group_info' lacks a certificate or a time") }
        let group = try RecoveryGroup(certificate: certificate)
        guard let share = value["share_info"], let kdf = share["kdf"],
            case .string(let id) = share["share_id"], let raw = UInt8(id),
            let index = ParticipantIndex(raw), group.participant(index) != nil,
            let sealed = share["encrypted_share"]?.base64(most: Self.sealedBytes),
            sealed.count == Self.sealedBytes
        else { throw .malformed("'share_info' has no share of this key") }
        let entry = Entry(group: group, index: index, sealed: sealed)
        let file = RecoveryFile([entry], created: created, try PassphraseStretch(kdf))
        let expected = JSONValue.object([
            "version": .integer(version), "group_info": group.json(created: created),
            "share_info": shareInfo(entry, file.stretch),
        ])
        try value.requireSame(as: expected, "a key")
        return file
    }

    private static let sealedBytes = AESGCMKey.nonceBytes + Scalar.byteCount + AESGCMKey.overhead

    private static func shareInfo(_ entry: Entry, _ stretch: PassphraseStretch) -> JSONValue {
        guard let holder = entry.group.participant(entry.index) else {
            preconditionFailure("an entry is of one of its participants")
        }
        return .object(
            holder.members + [
                .init(name: "encrypted_share", value: .base64(entry.sealed)),
                .init(name: "kdf", value: stretch.json),
            ])
    }
}

extension RecoveryGroup {
    fileprivate func json(created: String) -> JSONValue {
        .object([
            "id": .string(id.hex),
            "created_time": .string(created),
            "type": .integer(scheme.rawValue),
            "root_extended_public_key": .string(root.description),
            "chaincode": .prefixedHex(root.chainCode),
            "curve": .string(scheme.curve),
            "threshold": .integer(threshold.required),
            "participants": .array(participants.map { .object($0.members) }),
            "epoch": .integer(epoch),
            "certificate": .base64(certificate),
        ])
    }
}

extension RecoveryGroup.Participant {
    fileprivate var members: [JSONValue.Member] {
        [
            .init(name: "node_id", value: .string(identity.hex)),
            .init(name: "share_id", value: .string(String(index.raw))),
            .init(name: "share_public_key", value: .prefixedHex(sharePublicKey)),
        ]
    }
}

extension PassphraseStretch {
    /// Go's number of the hash (`crypto.Hash`) and its name.
    private static func names(_ hash: Hash) -> (type: Int, name: String) {
        switch hash {
        case .sha256: (5, "SHA-256")
        case .sha512: (7, "SHA-512")
        }
    }

    fileprivate var json: JSONValue {
        .object([
            "length": .integer(AESGCMKey.byteCount),
            "iterations": .integer(iterations),
            "salt": .prefixedHex(salt),
            "hash_type": .integer(Self.names(hash).type),
            "hash_name": .string(Self.names(hash).name),
        ])
    }

    /// What is read is written again and compared by the caller.
    fileprivate init(_ json: JSONValue) throws(RecoveryFault) {
        let hash = Hash.allCases.first { json["hash_type"] == .integer(Self.names($0).type) }
        guard let hash, case .number(let digits) = json["iterations"], let count = Int(digits),
            case .string(let salt) = json["salt"], salt.hasPrefix("0x"),
            let bytes = Hex.decode(salt.dropFirst(2)),
            let stretch = PassphraseStretch(hash, iterations: count, salt: bytes)
        else {
            throw .malformed(
                "'kdf' is not PBKDF2 with SHA-256 or SHA-512, \(Self.iterationsLeast) to "
                    + "\(Self.iterationsMost) iterations and a salt of \(Self.saltBytes) bytes")
        }
        self = stretch
    }
}

extension JSONValue {
    fileprivate static func prefixedHex(_ bytes: [UInt8]) -> JSONValue {
        .string("0x" + Hex.encode(bytes))
    }

    fileprivate static func base64(_ bytes: [UInt8]) -> JSONValue {
        .string(Data(bytes).base64EncodedString())
    }

    fileprivate func base64(most: Int) -> [UInt8]? {
        guard case .string(let text) = self, text.utf8.count <= (most + 2) / 3 * 4 else {
            return nil
        }
        return Data(base64Encoded: text).map { Array($0) }
    }

    /// Refuses a member too many, one that is missing, and one that says something else; members
    /// may stand in any order.
    fileprivate func requireSame(
        as expected: JSONValue, _ what: String
    ) throws(RecoveryFault) {
        switch (self, expected) {
        case (.object(let mine), .object(let theirs)):
            let known = Set(theirs.map(\.name))
            if let unknown = mine.first(where: { !known.contains($0.name) }) {
                throw .malformed("'\(unknown.name.prefix(40))' in \(what) is not known")
            }
            for member in theirs {
                guard let value = self[member.name] else {
                    throw .malformed("'\(member.name)' is missing in \(what)")
                }
                try value.requireSame(as: member.value, "'\(member.name)'")
            }
        case (.array(let mine), .array(let theirs)):
            guard mine.count == theirs.count else {
                throw .malformed("\(what) is not what the certificate says")
            }
            for (mine, theirs) in zip(mine, theirs) { try mine.requireSame(as: theirs, what) }
        default:
            guard self == expected else {
                throw .malformed("\(what) is not what the certificate says, or not spelt so")
            }
        }
    }
}
