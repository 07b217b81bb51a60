import Algebra
import Canonical
import Foundation
import Intents
import KeyGroups
import SwiftProtobuf
import Threshold
import Wire

extension HolderInput {
    /// What a frame says, or nil if it is malformed.
    init?(_ frame: RelayWire.FromRelay) {
        switch frame.content {
        case .offer(let offer):
            guard let signature = IdentitySignature(offer.signature) else { return nil }
            self = .offer(intent: Array(offer.intent), signature: signature)
        case .close(let close):
            guard let digest = Digest(close.intentDigest),
                let signature = IdentitySignature(close.signature)
            else { return nil }
            self = .close(intent: digest, signature: signature)
        case .run(let run):
            self = .run(descriptor: Array(run.descriptor), source: Array(run.sourceCertificate))
        case .envelope(let bytes): self = .envelope(Array(bytes))
        case .testimony(let bytes): self = .testimony(Array(bytes))
        case .checkUp(let checkUp):
            guard let group = GroupID(checkUp.groupID),
                checkUp.challenge.count == ShareCheck.challengeBytes
            else { return nil }
            self = .checkUp(group: group, challenge: Array(checkUp.challenge))
        case .challenge, .accepted, .heartbeat, nil: return nil
        }
    }
}

extension HolderOutput {
    /// About how many bytes the frame has.
    var size: Int {
        switch self {
        case .envelope(_, let bytes), .testimony(_, let bytes): bytes.count
        case .verdict, .signatures, .runEnded, .shareProof, .note, .consult, .endConsultation,
            .deliver:
            1024
        case .keyReady: KeyCertificate.byteLimit
        }
    }

    var frame: RelayWire.FromNode {
        switch self {
        case .verdict(let verdict): .with { $0.verdict = Data(verdict.bytes) }
        case .envelope(let recipients, let bytes):
            .with { $0.envelope = Self.parcel(recipients, bytes) }
        case .testimony(let recipients, let bytes):
            .with { $0.testimony = Self.parcel(recipients, bytes) }
        case .signatures(let intent, let signatures):
            .with {
                $0.signatures.intentDigest = Data(intent.bytes)
                $0.signatures.signatures = signatures.map { Data($0.bytes) }
            }
        case .keyReady(let intent, let certificate, let activations):
            .with {
                $0.keyReady.intentDigest = Data(intent.bytes)
                $0.keyReady.certificate = Data(certificate.bytes)
                $0.keyReady.activations = activations.map { Data($0.bytes) }
            }
        case .runEnded(let report):
            .with {
                $0.runEnded.descriptorDigest = Data(report.descriptor.bytes)
                $0.runEnded.intentDigest = Data(report.intent.bytes)
                $0.runEnded.reason = report.reason
                $0.runEnded.culprits = report.culprits.map { Data($0.bytes) }
                $0.runEnded.missing = report.missing.map { Data($0.bytes) }
                $0.runEnded.ban = report.isBan
            }
        case .shareProof(let group, let epoch, let challenge, let proof):
            .with {
                $0.shareProof.groupID = Data(group.bytes)
                $0.shareProof.epoch = epoch
                $0.shareProof.challenge = Data(challenge)
                $0.shareProof.proof = Data(proof)
            }
        case .note, .consult, .endConsultation, .deliver: .init()
        }
    }

    private static func parcel(
        _ recipients: [IdentityPublicKey], _ bytes: [UInt8]
    ) -> RelayWire.Parcel {
        .with {
            $0.recipients = recipients.map { Data($0.bytes) }
            $0.body = Data(bytes)
        }
    }
}
