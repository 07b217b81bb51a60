import Canonical
import Chains
import KeyGroups

/// Which messages a holder signs: none that its rules do not name.
extension Judge {
    /// A message spends nothing that could be counted; what may be signed is for the rules to say.
    func approve(
        _ order: MessageOrder, _ intent: Intent, _ knowing: HolderKnowledge
    ) throws(Stop) -> Approved {
        try checkServed(order.chain)
        _ = try sourceKey(
            of: order.sourceAddress, at: order.sourcePath, on: order.chain, intent, knowing)
        let digest: Digest
        switch order.message {
        case .personal(let message): digest = try checked(message)
        case .typed(let text): digest = try checked(typedData: text, on: order.chain)
        }
        return Approved(
            items: [SigningItem(path: order.sourcePath.derivation, digest: digest)], spending: [:])
    }

    private func checked(_ message: [UInt8]) throws(Stop) -> Digest {
        guard let most = rules.messages.personalMost else {
            throw refuse(.messageNotAllowed, "This holder signs no messages of EIP-191.")
        }
        guard message.count <= most else {
            throw refuse(
                .messageTooLong,
                "The message has \(message.count) bytes, this holder signs at most \(most).")
        }
        return EVMMessage.digest(ofPersonal: message)
    }

    private func checked(typedData text: [UInt8], on chain: ChainID) throws(Stop) -> Digest {
        let data: EVMTypedData
        do throws(EVMTypedData.Malformed) {
            data = try EVMTypedData(text)
        } catch {
            throw refuse(.messageMalformed, "This is no typed data of EIP-712: \(error.reason).")
        }
        guard let named = data.chainID, .eip155(named) == chain else {
            throw refuse(
                .messageDomain, "The domain of the typed data does not name \(chain.text).")
        }
        if let contract = data.verifyingContract, rules.assets[.erc20(chain, contract)] != nil {
            // What it lets somebody take is neither counted nor held back by any limit.
            throw refuse(
                .messageNotAllowed, "\(contract.text) is a token that this holder has limits for.")
        }
        guard let contract = data.verifyingContract,
            rules.messages.typed.contains(
                TypedDataRule(chain: chain, contract: contract, primaryType: data.primaryType))
        else {
            throw refuse(
                .messageNotAllowed,
                "This holder signs no \(data.primaryType) for "
                    + "\(data.verifyingContract?.text ?? "no contract").")
        }
        return data.digest
    }
}
