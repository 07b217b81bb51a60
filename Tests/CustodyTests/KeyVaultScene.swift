import Algebra
import Canonical
import Custody
import Intents
import KeyGroups
import TestKit

/// A key vault of the scene's tenant, and its verbs in short.
struct KeyVaultScene {
    let scene: KeyShareScene
    let keyVault: KeyVaultID
    var tenant: TenantID { scene.tenant }

    init(scene: KeyShareScene, keyVault: KeyVaultID) {
        (self.scene, self.keyVault) = (scene, keyVault)
    }

    init(_ seed: String) async throws {
        scene = try await KeyShareScene(seed)
        let tenant = scene.tenant
        keyVault = try await scene.custody.write {
            try $0.createKeyVault(name: "Treasury", .organisation, project: nil, for: tenant).id
        }
    }

    func draft(
        _ kind: GroupKind, _ members: [Int], threshold: Int = 2
    ) -> KeyShareHolderGroupDraft {
        let own = kind == .recovery ? 0 : 1
        return KeyShareHolderGroupDraft(
            kind: kind, participants: members.count + own, threshold: threshold,
            holders: members.map { member in
                .init(
                    name: "node \(member)", kind: .server, identity: scene.identity(member),
                    isSigner: true)
            })
    }

    func group(_ kind: GroupKind, _ members: [Int]) async throws -> KeyShareHolderGroupID {
        try await create(draft(kind, members)).group.id
    }

    func create(_ draft: KeyShareHolderGroupDraft) async throws -> KeyShareHolderGroupView {
        let (keyVault, tenant) = (keyVault, tenant)
        return try await scene.custody.write {
            try $0.createHolderGroup(draft, in: keyVault, of: tenant)
        }
    }

    func read(_ group: KeyShareHolderGroupID) async throws -> KeyShareHolderGroupView {
        let (keyVault, tenant) = (keyVault, tenant)
        return try await scene.custody.read {
            try $0.holderGroup(group, in: keyVault, of: tenant)
        }
    }

    func request(
        _ kind: KeyShareRequest.Kind, _ target: KeyShareHolderGroupID,
        from source: KeyShareHolderGroupID? = nil, dealers: [Int]? = nil
    ) async throws -> KeyShareRequest {
        let (keyVault, tenant) = (keyVault, tenant)
        let draft = KeyShareRequestDraft(
            kind: kind, target: target,
            source: source.map { group in
                .init(group: group, holders: dealers?.map(scene.identity))
            }, note: "a test")
        return try await scene.custody.write {
            try $0.requestKeyShares(draft, in: keyVault, of: tenant)
        }
    }

    func status(_ request: KeyShareRequest) async throws -> KeyShareRequest.Status {
        let (keyVault, tenant) = (keyVault, tenant)
        return try await scene.custody.read {
            try $0.keyShareRequest(request.id, in: keyVault, of: tenant).status
        }
    }

    func cancel(_ request: KeyShareRequest) async throws -> KeyShareRequest {
        let (keyVault, tenant) = (keyVault, tenant)
        return try await scene.custody.write {
            try $0.cancelKeyShareRequest(request.id, in: keyVault, of: tenant)
        }
    }

    func roots() async throws -> [[UInt8]] {
        let keyVault = keyVault
        return try await scene.custody.read { try $0.rootKeys(of: keyVault).map(\.publicKey) }
    }

    /// A main group of the platform's own holder and these, with its keys.
    func made(_ members: [Int] = [1, 2]) async throws -> KeyShareHolderGroupID {
        let main = try await group(.main, members)
        let request = try await request(.keyGeneration, main)
        try await scene.settle(confirmedBy: [0] + members)
        guard try await status(request) == .done else {
            throw KeyShareScene.Failed("\(try await status(request))")
        }
        return main
    }

    /// Another group with shares of the main group's keys.
    func given(
        _ kind: GroupKind, _ members: [Int], by main: KeyShareHolderGroupID
    ) async throws -> KeyShareHolderGroupID {
        let group = try await group(kind, members)
        let request = try await request(.fromKeyGroup, group, from: main)
        try await scene.settle(confirmedBy: [0, 1, 2] + members)
        guard try await status(request) == .done else {
            throw KeyShareScene.Failed("\(try await status(request))")
        }
        return group
    }
}

func refused<Result>(_ work: () async throws -> Result) async -> Refusal.Code? {
    do {
        _ = try await work()
        return nil
    } catch {
        return (error as? Refusal)?.code
    }
}
