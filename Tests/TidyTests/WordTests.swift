import Foundation
import Testing

@Suite struct `The words of the house` {
    @Test func `no type and no file is named for nothing in particular`() {
        expectNone(Repository.swift.flatMap(Words.types))
    }

    @Test(arguments: Words.ofTypes)
    func `each empty word is found in a type's name and in a file's`(ban: Ban) {
        for word in ban.words {
            let name = "Key\(word.capitalized)"
            let type = SwiftSource("Sources/A/A.swift", "\npublic final class \(name)<T>: P {}\n")
            #expect(Words.types(type).map(\.line) == [2])
            #expect(Words.types(SwiftSource("Sources/A/\(name).swift", "")).count == 1)
        }
    }

    @Test func `a superclass by name is found, and the base transfer is not`() {
        func count(_ text: String) -> Int { Words.types(SwiftSource("a.swift", text)).count }
        #expect(count("class BaseStore {}") == 1)
        #expect(count("struct BaseTransferSender {}") == 0)
        #expect(count("extension ServiceGroup {}") == 0)
    }

    @Test func `each concept has one word`() {
        expectNone(Repository.swift.flatMap(Words.fieldWords))
    }

    @Test(arguments: Words.ofTheField + Words.ofCode)
    func `each other word is found in a name`(ban: Ban) {
        for word in ban.words {
            let text = "// A line.\nlet first\(word.capitalized)ID = 1\nlet \(word)_count = 2\n"
            #expect(Words.fieldWords(SwiftSource("a.swift", text)).map(\.line) == [2, 3])
            let literal = SwiftSource("a.swift", "let a = \"\(word)\", `\(word)` = 1\n")
            #expect(Words.fieldWords(literal) == [])
        }
    }

    @Test(arguments: Words.ofTheField)
    func `each other word is found in a comment`(ban: Ban) {
        for word in ban.words {
            let text = "let a = 1\n/// Every \(word.capitalized), once.\n"
            #expect(Words.fieldWords(SwiftSource("a.swift", text)).map(\.line) == [2])
        }
    }

    @Test func `words that belong to others stay theirs`() {
        let text =
            "// A third party, a relying party, H(\"dkg/cc\").\nsecp256k1_ec_pubkey_parse(MSG_A)\n"
        #expect(Words.fieldWords(SwiftSource("a.swift", text)) == [])
        #expect(Words.fieldWords(SwiftSource("a.swift", "// sid = H(…)\n")) == [])
    }

    @Test func `comments neither narrate nor put off`() {
        expectNone(Repository.swift.flatMap(Words.comments))
    }

    @Test(
        arguments: Words.ofComments.map { $0.joined(separator: " ") } + [
            "TODO", "TODO()", "TODO(#)",
        ])
    func `each such phrase is found, also across a line`(phrase: String) {
        let wrapped = phrase.split(separator: " ").joined(separator: "\n// ")
        for text in ["let a = 1  // So \(phrase), then.", "\n/* \(wrapped): a. */"] {
            #expect(Words.comments(SwiftSource("a.swift", text)).count == 1)
        }
        #expect(Words.comments(SwiftSource("a.swift", "let a = \"\(phrase)\"")) == [])
    }

    @Test func `a numbered task may stay, and words inside of words are none`() {
        let text = "// TODO(#12): a reason.\n// A mark is remarkable; for nowhere.\n"
        #expect(Words.comments(SwiftSource("a.swift", text)) == [])
    }
}
