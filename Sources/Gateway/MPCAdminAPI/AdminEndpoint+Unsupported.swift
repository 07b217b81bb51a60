import HTTPTypes

/// What the clients can ask for and this platform does not do: docs/api/mpc-admin.md says why.
extension AdminEndpoint {
    static let unsupported: [AdminEndpoint] =
        listings + walletControls + movements

    private static let listings: [AdminEndpoint] = [
        .unsupported(.get, "list_token_listing_requests", "wallets/tokens/listing_requests"),
        .unsupported(.post, "create_token_listing_request", "wallets/tokens/listing_requests"),
        .unsupported(
            .get, "get_token_listing_request_by_request_id",
            "wallets/tokens/listing_requests/{request_id}"),
    ]

    private static let walletControls: [AdminEndpoint] = [
        .unsupported(.post, "delete_wallet_by_id", "wallets/{wallet_id}/delete"),
        .unsupported(.get, "list_utxos", "wallets/{wallet_id}/utxos"),
        .unsupported(
            .get, "list_transaction_utxos", "wallets/{wallet_id}/transaction_utxos"),
        .unsupported(.post, "batch_check_utxo", "wallets/{wallet_id}/utxos/batch_check"),
        .unsupported(.post, "lock_utxos", "wallets/{wallet_id}/utxos/lock"),
        .unsupported(.post, "unlock_utxos", "wallets/{wallet_id}/utxos/unlock"),
        .unsupported(
            .get, "get_max_transferable_value", "wallets/{wallet_id}/max_transferable_value"),
        .unsupported(
            .post, "get_max_transferable_value_with_fee_model",
            "wallets/{wallet_id}/max_transferable_value_with_fee_model"),
        .unsupported(
            .put, "refresh_address_balances_by_token",
            "wallets/{wallet_id}/tokens/{token_id}/refresh_address_balances"),
        .unsupported(
            .get, "list_account_balances",
            "wallets/{wallet_id}/chains/{chain_id}/account/balances"),
    ]

    private static let movements: [AdminEndpoint] = [
        .unsupported(.get, "check_loop_transfers", "transactions/check_loop_transfers"),
        .unsupported(.post, "broadcast_signed_transactions", "transactions/broadcast"),
        .unsupported(.get, "list_transaction_approval_details", "transactions/approval_details"),
        .unsupported(.get, "list_approval_details", "transactions/approval/details"),
        .unsupported(.get, "list_transaction_templates", "transactions/templates"),
        .unsupported(
            .get, "get_transaction_receipt",
            "transactions/chains/{chain_id}/tx_hash/{tx_hash}/receipt"),
        .unsupported(
            .get, "get_transaction_approval_detail",
            "transactions/{transaction_id}/approval_detail"),
    ]
}
