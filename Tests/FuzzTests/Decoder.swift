/// Something that reads bytes from outside, and what it must keep to whatever it is given.
struct Decoder: Sendable, CustomStringConvertible {
    /// What is written between the bytes, so that mutations are not all thrown out at the door.
    enum Form: Sendable {
        case binary
        /// Deterministic CBOR, also inside of byte strings.
        case cbor
        /// Text, with these pieces in it.
        case text([String])
    }

    let name: String
    var form = Form.binary
    /// Whether a value has one spelling: what is read is written as the very same bytes. Otherwise
    /// what was written is read and written again, with the same result.
    var isCanonical = true
    /// Longest input that may be accepted, where the decoder has such a limit.
    var limit: Int?
    /// How much slower it is than others: it gets so much fewer inputs.
    var divisor = 1
    /// Whether the valid inputs are made with fresh randomness, so that each run has others.
    var seedsVary = false
    /// Valid inputs.
    let seeds: [[UInt8]]
    /// Makes checks hold that no mutation would pass, such as a signature.
    var repair: (@Sendable ([UInt8]) -> [UInt8])?
    /// What the value that was read is written as; nil if none was read.
    let decode: @Sendable ([UInt8]) -> [UInt8]?

    var description: String { name }

    /// A decoder of text.
    static func text(
        _ name: String, seeds: [String], pieces: [String] = [], isCanonical: Bool = true,
        _ decode: @escaping @Sendable (String) -> String?
    ) -> Decoder {
        Decoder(
            name: name, form: .text(pieces), isCanonical: isCanonical,
            seeds: seeds.map { Array($0.utf8) }
        ) { bytes in
            // A string is always valid UTF-8 where it comes from; what is not becomes U+FFFD.
            String(validating: bytes, as: UTF8.self).flatMap(decode).map { Array($0.utf8) }
        }
    }
}
