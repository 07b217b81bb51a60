/// Why a recovery file, a passphrase or a set of files is of no use, and what to do about it.
public enum RecoveryFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// It is no recovery file of the form that is read here.
    case malformed(String)
    /// The passphrase is none that a file is sealed under.
    case passphrase(String)
    /// Nothing opens: another passphrase, or a file that was changed.
    case doesNotOpen
    /// What is inside is not the share that the file says it is.
    case doesNotFit(share: String)
    /// Files that do not belong together.
    case mixed(String)

    public var description: String {
        switch self {
        case .malformed(let what):
            "this is no recovery file, or it was changed: \(what); use another copy of it"
        case .passphrase(let what): what
        case .doesNotOpen:
            "the share does not open: the passphrase is another, or the file was changed; try "
                + "again, then another copy of the file"
        case .doesNotFit(let share):
            "what is sealed as share \(share) is not that share: the file is of no use, take "
                + "another copy of it"
        case .mixed(let what): what
        }
    }
}
