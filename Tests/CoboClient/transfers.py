"""Transfers from a wallet of the story."""

import cobo_waas2 as cobo

from stack import transactions


def source_of(wallet):
    return cobo.TransferSource(
        cobo.MpcTransferSource(
            source_type=cobo.WalletSubtype("User-Controlled"), wallet_id=wallet
        )
    )


def rbf(request_id, price, tip, token="SETH"):
    """What the client says of a speed-up and of a drop, in wei for a gas."""
    return cobo.TransactionRbf(
        request_id=request_id,
        fee=cobo.TransactionRequestFee(
            cobo.TransactionRequestEvmEip1559Fee(
                fee_type=cobo.FeeType.EVM_EIP_1559, token_id=token,
                max_fee_per_gas=str(price), max_priority_fee_per_gas=str(tip),
            )
        ),
    )


def send(wallet, payee, amount, request_id, transactions=transactions, process=None):
    return transactions.create_transfer_transaction(
        cobo.TransferParams(
            request_id=request_id, source=source_of(wallet), token_id="SETH",
            transaction_process_type=process,
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
