import Algebra
import Canonical

/// A holder's word that it holds every holder's signature of a key's certificate. A key signs when
/// every holder has given it (specification section 3.6).
public enum KeyActivation {
    public static func digest(
        group: GroupID, scheme: SignatureScheme, epoch: UInt64, certificate: Digest
    ) -> Digest {
        var transcript = Transcript(Tag.activation)
        transcript.append(group)
        transcript.append(scheme.rawValue.bigEndianBytes)
        transcript.append(epoch.bigEndianBytes)
        transcript.append(certificate)
        return transcript.digest()
    }
}
