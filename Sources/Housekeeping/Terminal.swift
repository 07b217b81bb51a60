import Foundation

/// The person at the terminal, wherever input and output lead.
public enum Terminal {
    // Control characters: C, then D, line feed and carriage return, then H, U and delete.
    private static let interrupt: UInt8 = 3
    private static let lineEnds: [UInt8] = [4, 10, 13]
    private static let backspaces: [UInt8] = [8, 127]
    private static let killLine: UInt8 = 21

    /// What `body` makes of a line that is typed and not shown; it is wiped from memory afterwards.
    public static func readingSecret<Result: ~Copyable>(
        _ prompt: String, most: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else {
            throw CommandFailure(
                "there is no terminal to type a passphrase at: name a file with --passphrase-file")
        }
        defer { close(terminal) }
        var before = termios()
        guard tcgetattr(terminal, &before) == 0 else {
            throw CommandFailure("the terminal cannot be told to hide what is typed")
        }
        // Key by key, without signals: one that ended us here would leave the terminal mute.
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO | ISIG | ICANON)
        tcsetattr(terminal, TCSAFLUSH, &hidden)
        defer { tcsetattr(terminal, TCSAFLUSH, &before) }
        say(prompt, terminal)
        let memory = WipedMemory(most)
        var count = 0
        while count < memory.buffer.count {
            let got = read(terminal, memory.buffer.baseAddress! + count, 1)
            if got < 0, errno == EINTR { continue }
            guard got == 1, memory.buffer[count] != interrupt else {
                say("\n", terminal)
                throw CommandFailure("nothing was typed")
            }
            let byte = memory.buffer[count]
            if lineEnds.contains(byte) { break }
            switch byte {
            case killLine: count = 0
            case _ where backspaces.contains(byte): count = max(0, count - 1)
            default: count += 1
            }
        }
        say("\n", terminal)
        return try body(UnsafeRawBufferPointer(rebasing: memory.buffer[..<count]))
    }

    private static func say(_ text: String, _ terminal: Int32) {
        let bytes = Array(text.utf8)
        _ = write(terminal, bytes, bytes.count)
    }
}

/// Memory that is overwritten when its owner is done with it.
final class WipedMemory {
    let buffer: UnsafeMutableRawBufferPointer

    /// One byte more than `most`, so that more than that many are noticed.
    init(_ most: Int) {
        buffer = .allocate(byteCount: most + 1, alignment: 1)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        explicit_bzero(buffer.baseAddress!, buffer.count)
        buffer.deallocate()
    }
}
