import Algebra

/// What a person types to seal and open files.
///
/// Printable ASCII, since other letters are different bytes at different keyboards, and without
/// space at either end, where Cobo's tool cuts it off.
public struct Passphrase: ~Copyable, Sendable {
    /// In bytes. A file can be guessed at for ever, without anybody noticing.
    public static let least = 16
    public static let most = 1024

    let bytes: SecretBytes

    /// - Parameter typed: what was typed or is in a file; one line end after it does not count.
    public init(_ typed: UnsafeRawBufferPointer) throws(RecoveryFault) {
        var end = typed.count
        if end > 0, typed[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        if end > 0, typed[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        let line = UnsafeRawBufferPointer(rebasing: typed[..<end])
        guard line.count >= Self.least else {
            throw .passphrase("the passphrase is too short: take \(Self.least) characters or more")
        }
        guard line.count <= Self.most else {
            throw .passphrase("the passphrase is too long: \(Self.most) characters at most")
        }
        guard line.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw .passphrase(
                "the passphrase is not one line of printable ASCII characters: letters beyond "
                    + "those are other bytes at another keyboard")
        }
        guard line.first != 0x20, line.last != 0x20 else {
            throw .passphrase("the passphrase begins or ends with a space: leave it out")
        }
        bytes = SecretBytes(copying: line)
    }

    public borrowing func matches(_ other: borrowing Passphrase) -> Bool {
        bytes.matches(other.bytes)
    }
}
