import Algebra
import Canonical
import Intents

/// Cursors as callers see them: a text that says nothing, and that only its tenant can use.
extension PlatformVaultKey {
    /// Nonce, eight bytes of a number, tag.
    private static let sealedBytes = SealingKey.nonceBytes + 8 + SealingKey.overhead

    public func text(of cursor: PageCursor, for tenant: TenantID) -> String {
        Hex.encode(
            key.sealForStorage(
                UInt64(bitPattern: cursor.number).bigEndianBytes,
                authenticating: Self.context(tenant)))
    }

    public func cursor(_ text: String, of tenant: TenantID) -> PageCursor? {
        guard text.utf8.count == 2 * Self.sealedBytes, let sealed = Hex.decode(text),
            Hex.encode(sealed) == text,
            let opened = key.openStored(sealed, authenticating: Self.context(tenant))
        else { return nil }
        let word = opened.withBytes { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return PageCursor(number: Int64(bitPattern: word))
    }

    private static func context(_ tenant: TenantID) -> [UInt8] {
        Array("quorumkeep/page-cursor/v1/".utf8) + tenant.bytes
    }
}

extension Books {
    public func text(of cursor: PageCursor, for tenant: TenantID) -> String {
        vaultKey.text(of: cursor, for: tenant)
    }

    public func cursor(_ text: String, of tenant: TenantID) -> PageCursor? {
        vaultKey.cursor(text, of: tenant)
    }
}
