"""Transfers from a wallet of the story."""

import cobo_waas2 as cobo

from stack import transactions


def source_of(wallet):
    return cobo.TransferSource(
        cobo.MpcTransferSource(
            source_type=cobo.WalletSubtype("User-Controlled"), wallet_id=wallet
        )
    )


def send(wallet, payee, amount, request_id, transactions=transactions):
    return transactions.create_transfer_transaction(
        cobo.TransferParams(
            request_id=request_id, source=source_of(wallet), token_id="SETH",
            destination=cobo.TransferDestination(
                cobo.AddressTransferDestination(
                    destination_type=cobo.TransferDestinationType.ADDRESS,
                    account_output=cobo.AddressTransferDestinationAccountOutput(
                        address=payee, amount=amount
                    ),
                )
            ),
        )
    )
