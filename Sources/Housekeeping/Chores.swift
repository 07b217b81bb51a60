import Foundation

/// What each of our processes does for itself.
public enum Chores {
    /// No crash dump of this process is written: it would hold secrets.
    ///
    /// A limit of one byte, not zero, since the kernel asks a dump program on a pipe unless the
    /// limit is one (core(5), fs/coredump.c). A limit of zero that may not be raised is enough
    /// where dumps go to files.
    public static func forbidCrashDumps() throws {
        var limit = rlimit(rlim_cur: 1, rlim_max: 1)
        if setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 { return }
        let pattern = FileManager.default.contents(atPath: "/proc/sys/kernel/core_pattern")
        guard let pattern, pattern.first != UInt8(ascii: "|") else {
            throw CommandFailure(
                "crash dumps go to a program, which only a limit of one byte forbids: raise the "
                    + "hard limit (ulimit -Hc 1, LimitCORE=1)")
        }
    }

    /// Keeps this process's memory out of swap, where that is allowed.
    ///
    /// - Returns: whether it is.
    public static func lockMemory() -> Bool {
        mlockall(Int32(MCL_CURRENT | MCL_FUTURE)) == 0
    }

    /// Lets this process have so many files open, as far as it may.
    ///
    /// - Returns: how many it can have.
    public static func allowFiles(_ count: Int) -> Int {
        let what = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(what, &limit) == 0 else { return 0 }
        let wanted = min(rlim_t(count), limit.rlim_max)
        if limit.rlim_cur < wanted {
            var raised = rlimit(rlim_cur: wanted, rlim_max: limit.rlim_max)
            if setrlimit(what, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Ends this process when its standard input ends: the parent holds the other end, so it ends
    /// with the parent, however that dies.
    public static func endWithParent() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            kill(getpid(), SIGTERM)
            sleep(3)  // for what is running to finish
            _exit(0)
        }
    }

}

/// Why a command cannot do what it was asked, in words for the person who typed it.
public struct CommandFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// A file that its owner alone can read.
public enum PrivateFile {
    public static let mode: mode_t = 0o600

    /// Writes the file as a whole or not at all: to a new file beside it that takes its name.
    public static func write(_ content: Data, to url: URL) throws {
        let temporary = url.appendingPathExtension("new")
        unlink(temporary.path)
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            throw CommandFailure(
                "cannot write \(url.path): \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: content)
        try handle.synchronize()
        try handle.close()
        guard rename(temporary.path, url.path) == 0 else {
            throw CommandFailure(
                "cannot write \(url.path): \(String(cString: strerror(errno)))")
        }
    }

    /// Reads a file that holds a secret; refuses one that others can read.
    public static func read(_ url: URL) throws -> Data {
        var info = stat()
        guard stat(url.path, &info) == 0 else {
            throw CommandFailure(
                "cannot read \(url.path): \(String(cString: strerror(errno)))")
        }
        guard info.st_mode & 0o077 == 0 else {
            throw CommandFailure(
                "\(url.path) can be read by others: chmod 600 it, and take what it held as known"
            )
        }
        return try Data(contentsOf: url)
    }

    /// Writes a new file, as a whole or not at all; one that is there is left as it is.
    public static func create(_ content: UnsafeRawBufferPointer, at url: URL) throws {
        let descriptor = open(url.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            guard errno != EEXIST else {
                throw CommandFailure(
                    "\(url.path) is there already and is not written over: name a new file")
            }
            throw CommandFailure("cannot write \(url.path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var at = 0
        while at < content.count {
            let count = pwrite(
                descriptor, content.baseAddress! + at, content.count - at, off_t(at))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            at += count
        }
        guard at == content.count, fsync(descriptor) == 0 else {
            let why = String(cString: strerror(errno))
            unlink(url.path)
            throw CommandFailure("cannot write \(url.path): \(why)")
        }
        let parent = open(url.deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }

    /// What `body` makes of a file that holds a secret, which is wiped from memory afterwards;
    /// refuses one that others can read, and one of more than `most` bytes.
    public static func reading<Result: ~Copyable>(
        _ url: URL, most: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure("cannot read \(url.path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & 0o077 == 0 else {
            throw CommandFailure(
                "\(url.path) can be read by others: chmod 600 it, and take what it held as known")
        }
        let memory = WipedMemory(most)
        let count = pread(descriptor, memory.buffer.baseAddress!, memory.buffer.count, 0)
        guard count >= 0, count < memory.buffer.count else {
            throw CommandFailure("\(url.path) cannot be read, or has more than \(most) bytes")
        }
        return try body(UnsafeRawBufferPointer(rebasing: memory.buffer[..<count]))
    }

    public static func makeDirectory(_ url: URL) throws {
        do {
            try FileManager.default.createDirectory(
                at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure("\(url.path) cannot be made a directory")
        }
    }
}

/// Held while this process uses a data directory, so that no two do.
public final class DirectoryLock: Sendable {
    private let descriptor: Int32

    public init(_ directory: URL, name: String) throws {
        let path = directory.appending(path: name).path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, PrivateFile.mode)
        guard descriptor >= 0 else {
            throw CommandFailure("cannot open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw CommandFailure("\(directory.path) is in use by another process")
        }
    }

    deinit { close(descriptor) }
}
