import GRPCCore

/// The relay protocol's generated types, under names that people can read.
public enum RelayWire {
    public typealias FromRelay = Quorumkeep_Relay_V1_RelayFrame
    public typealias FromNode = Quorumkeep_Relay_V1_NodeFrame
    public typealias Service = Quorumkeep_Relay_V1_Relay.StreamingServiceProtocol
    public typealias Client = Quorumkeep_Relay_V1_Relay.Client
    public typealias Hello = Quorumkeep_Relay_V1_Hello
    public typealias Parcel = Quorumkeep_Relay_V1_Parcel

    /// Largest frame: an envelope of 64 KiB with its recipients.
    public static let frameBytesMost = 96 * 1024
    /// A holder that was silent for so long is taken for gone, in seconds; it sends a heartbeat in
    /// a third of it.
    public static let silenceSeconds: Int64 = 15
}
