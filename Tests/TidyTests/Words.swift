/// A word that the house does not use, and the one that it does.
struct Ban: Sendable, CustomStringConvertible {
    let words: Set<String>
    let instead: String

    init(_ words: Set<String>, _ instead: String) {
        self.words = words
        self.instead = instead
    }

    var description: String { words.sorted().joined(separator: ", ") }
}

/// The words of STYLE.md, section "Names".
enum Words {
    /// As a part of a type's or a file's name: they say that nobody knew what the thing is.
    static let ofTypes = [
        Ban(["manager", "managers"], "name what it does: desk, book, follower"),
        Ban(["service", "services"], "name the thing itself"),
        Ban(["helper", "helpers"], "extend the type that it helps"),
        Ban(["util", "utils", "utility", "utilities"], "extend the type, or name the concept"),
        Ban(["handler", "handlers"], "name it by what it does"),
        Ban(["impl", "implementation"], "name what is special about it"),
        Ban(["provider", "providers"], "name what it gives"),
        Ban(["common", "misc"], "put it where it belongs"),
    ]

    /// Anywhere in code and comments: one term for each concept, docs/terminology.md.
    static let ofTheField = [
        Ban(["party", "parties", "player", "players"], "participant"),
        Ban(["committee", "committees", "cluster", "clusters"], "quorum, or holder group"),
        Ban(["keyshard", "keyshards", "shard", "shards"], "key share"),
        Ban(["pubkey", "pubkeys"], "public key"),
        Ban(["privkey", "privkeys"], "whole key; there should be none"),
        Ban(["keygen", "dkg"], "key generation"),
        Ban(["presig", "presigs"], "pre-signature"),
        Ban(["savedata", "keypackage"], "sealed key share"),
        Ban(["principal", "principals"], "caller"),
    ]

    /// In code only: a paper may be cited with its own letters.
    static let ofCode = [
        Ban(["sid", "ssid"], "run"),
        Ban(["msg", "msgs", "pkt", "packet"], "message, or envelope"),
        Ban(["ctx"], "context"),
        Ban(["tx", "txs", "txn"], "transaction"),
        Ban(["cfg", "conf"], "configuration"),
        Ban(["decom"], "opening"),
    ]

    /// In comments: what narrates, apologises or puts off. A task needs the number of an issue.
    static let ofComments: [[String]] = [
        ["MARK"], ["FIXME"], ["XXX"], ["HACK"], ["now", "we"], ["we", "now"], ["previously"],
        ["formerly"], ["used", "to", "be"], ["for", "now"], ["sorry"], ["obviously"],
    ]

    static func types(_ source: SwiftSource) -> [Finding] {
        let declared = source.types.filter { !$0.isExtension }
            .map { (name: $0.ownName, at: $0.block.start) }
        return (declared + [(source.stem, 0)]).flatMap { name, at in
            let parts = name.nameParts
            let bans = ofTypes.filter { !$0.words.isDisjoint(with: parts) }
            // The base oblivious transfer is the papers' term; it is nobody's superclass.
            let isBase = parts.first == "base" && !name.hasPrefix("BaseTransfer")
            return bans.map { source.finding(at: at, "\(name): \($0.instead)") }
                + (isBase ? [source.finding(at: at, "\(name): compose, or name the concept")] : [])
        }
    }

    static func fieldWords(_ source: SwiftSource) -> [Finding] {
        let everywhere = index(ofTheField)
        let inCode = index(ofTheField + ofCode)
        let named = source.words.filter { !isOfC($0.text) }
        let found = named.flatMap { word in
            word.text.nameParts.compactMap { part in
                inCode[part].map { source.finding(word, "'\(part)' in code: say \($0)") }
            }
        }
        let said = source.commentWords
        let spoken = said.indices.compactMap { at -> Finding? in
            let text = said[at].text.lowercased()
            // A relying party and a third party are nobody's participants; a hash's label, as in
            // H("dkg/cc"), is what it is.
            let before = at > 0 ? said[at - 1].text.lowercased() : ""
            let isLabel = source.comments[..<said[at].range.lowerBound].last == .quote
            guard let instead = everywhere[text], !["third", "relying"].contains(before), !isLabel
            else { return nil }
            return source.finding(said[at], "'\(text)' in a comment: say \(instead)")
        }
        return found + spoken
    }

    /// C's names stay as they are: `secp256k1_ec_pubkey_parse`, `MSG_NOSIGNAL`.
    private static func isOfC(_ name: String) -> Bool {
        let isMacro = name.contains("_") && !name.contains(where: \.isLowercase)
        return isMacro
            || ["EVP_", "secp256k1_", "SHA256_", "SHA512_"].contains(where: name.hasPrefix)
    }

    static func comments(_ source: SwiftSource) -> [Finding] {
        let said = source.commentWords
        return said.indices.flatMap { at in
            let phrases = ofComments.filter { phrase in
                said[at...].prefix(phrase.count).map(\.text).elementsEqual(phrase) { said, word in
                    word.allSatisfy(\.isUppercase) ? said == word : said.lowercased() == word
                }
            }
            let isTask = said[at].text == "TODO" && !source.isNumberedTask(said[at])
            return phrases.map {
                source.finding(
                    said[at],
                    "'\($0.joined(separator: " "))': comments say why, or what one must know")
            } + (isTask ? [source.finding(said[at], "a task has an issue: TODO(#number)")] : [])
        }
    }

    private static func index(_ bans: [Ban]) -> [String: String] {
        Dictionary(
            bans.flatMap { ban in ban.words.map { ($0, ban.instead) } },
            uniquingKeysWith: { first, _ in first })
    }
}

extension SwiftSource {
    var commentWords: [Word] { Self.words(of: comments) }

    fileprivate func isNumberedTask(_ word: Word) -> Bool {
        let rest = comments[word.range.upperBound...].prefix(3)
        return rest.starts(with: Array("(#".utf8))
            && rest.last.map { $0 >= 0x30 && $0 <= 0x39 } == true
    }
}
