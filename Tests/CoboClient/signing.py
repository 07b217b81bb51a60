"""Messages and contract calls: what holders sign beside transfers."""

import base64
import json
import uuid

import cobo_waas2 as cobo
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature

from stack import refused, rpc, same, step, transactions, until, wallets

MAIL = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail", "version": "1", "chainId": 31337,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}


def mail_digest():
    """EIP-712 of MAIL, written out by hand."""
    text = lambda value: keccak(value.encode())
    address = lambda value: bytes(12) + bytes.fromhex(value[2:])
    domain = MAIL["domain"]
    separator = keccak(
        text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + text(domain["name"]) + text(domain["version"])
        + domain["chainId"].to_bytes(32, "big") + address(domain["verifyingContract"])
    )
    person_type = "Person(string name,address wallet)"
    person = lambda value: keccak(
        text(person_type) + text(value["name"]) + address(value["wallet"])
    )
    message = MAIL["message"]
    mail = keccak(
        text("Mail(Person from,Person to,string contents)" + person_type)
        + person(message["from"]) + person(message["to"]) + text(message["contents"])
    )
    return keccak(b"\x19\x01" + separator + mail)


def ask_to_sign(wallet, address, destination, request_id):
    return transactions.create_message_sign_transaction(
        message_sign_params=cobo.MessageSignParams(
            request_id=request_id, chain_id="SETH",
            source=cobo.MessageSignSource(
                cobo.MpcMessageSignSource(
                    source_type=cobo.MessageSignSourceType("User-Controlled"),
                    wallet_id=wallet, address=address,
                )
            ),
            destination=cobo.MessageSignDestination(destination),
        )
    )


def personal(message):
    return cobo.EvmEIP191MessageSignDestination(
        destination_type=cobo.MessageSignDestinationType.EVM_EIP_191_SIGNATURE,
        message=base64.b64encode(message).decode(),
    )


def typed(data):
    return cobo.EvmEIP712MessageSignDestination(
        destination_type=cobo.MessageSignDestinationType.EVM_EIP_712_SIGNATURE,
        structured_data=data,
    )


def sign_messages(wallet, address):
    """The signatures are the address's, as another library recovers it; and nothing has moved."""
    before = wallets.list_token_balances_for_wallet(wallet, token_ids="SETH").data
    hello = "Grüße, Welt".encode()
    framed = b"\x19Ethereum Signed Message:\n%d" % len(hello) + hello
    for destination, digest in [
        (personal(hello), keccak(framed)), (personal(hello), keccak(framed)),
        (typed(MAIL), mail_digest()),
    ]:
        name = str(uuid.uuid4())
        sent = ask_to_sign(wallet, address, destination, name)
        refused(12009, ask_to_sign, wallet, address, destination, name)
        look = lambda: transactions.get_transaction_by_id(sent.transaction_id)
        until("a message", lambda: look().status.value, ["Completed"])
        done = look()
        same(done.type.value, "MessageSign", "type")
        result = done.result.actual_instance
        same(result.result_type.value, "Signature", "result")
        signature = bytes.fromhex(result.signature[2:])
        same((len(signature), signature[64] in (27, 28)), (65, True), "signature")
        recoverable = Signature(signature[:64] + bytes([signature[64] - 27]))
        signer = recoverable.recover_public_key_from_msg_hash(digest)
        same(signer.to_checksum_address(), address, "who has signed")
        shown = done.destination.actual_instance
        same(shown.destination_type.value, destination.destination_type.value, "destination")
    same(len(transactions.list_transactions(types="MessageSign").data), 3, "messages")
    same(
        wallets.list_token_balances_for_wallet(wallet, token_ids="SETH").data, before, "balances"
    )
    # What no holder's rules name is refused by all of them.
    permit = json.loads(json.dumps(MAIL).replace("Mail", "Permit"))
    sent = ask_to_sign(wallet, address, typed(permit), str(uuid.uuid4()))
    look = lambda: transactions.get_transaction_by_id(sent.transaction_id)
    until("a permit", lambda: look().status.value, ["Rejected"])
    same(look().sub_status.value, "RejectedBySigner", "why")
    refused(
        2006, ask_to_sign, wallet, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        personal(hello), str(uuid.uuid4()),
    )
    step("messages, whose signer another library recovers")


def call(wallet, address, contract, request_id, value="0.1", data="0x01020304", fee=None):
    return transactions.create_contract_call_transaction(
        contract_call_params=cobo.ContractCallParams(
            request_id=request_id, chain_id="SETH",
            source=cobo.ContractCallSource(
                cobo.MpcContractCallSource(
                    source_type=cobo.ContractCallSourceType("User-Controlled"),
                    wallet_id=wallet, address=address,
                )
            ),
            destination=cobo.ContractCallDestination(
                cobo.EvmContractCallDestination(
                    destination_type=cobo.ContractCallDestinationType.EVM_CONTRACT,
                    address=contract, value=value, calldata=data,
                )
            ),
            fee=fee,
        )
    )


def call_contracts(wallet, address):
    """A call pays its value and its gas; what passes the ledger by is refused."""
    contract = "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"
    fee = cobo.TransactionRequestFee(
        cobo.TransactionRequestEvmEip1559Fee(
            fee_type=cobo.FeeType.EVM_EIP_1559, token_id="SETH", gas_limit="40000",
            max_fee_per_gas="5000000000", max_priority_fee_per_gas="1000000000",
        )
    )
    for choice in [None, fee]:
        name = str(uuid.uuid4())
        sent = call(wallet, address, contract, name, fee=choice)
        refused(12009, call, wallet, address, contract, name)
        look = lambda: transactions.get_transaction_by_id(sent.transaction_id)
        until("a call", lambda: look().status.value, ["Completed"])
        done = look()
        same(done.type.value, "ContractCall", "type")
        shown = done.destination.actual_instance
        same((shown.address, shown.value), (contract, "0.1"), "destination")
        same(shown.calldata, "0x01020304", "data")
        mined = rpc("eth_getTransactionByHash", done.transaction_hash)
        same((mined["input"], int(mined["value"], 16)), ("0x01020304", 10**17), "on the chain")
        same(mined["from"], address.lower(), "who has called")
    same(int(rpc("eth_getBalance", contract, "latest"), 16), 2 * 10**17, "the contract's coins")
    token = wallets.get_token_by_id("SETH_USDT").token_address
    for other in [token, address, "0x" + "00" * 20]:
        refused(2006, call, wallet, address, other, str(uuid.uuid4()))
    refused(12007, call, wallet, address, contract, str(uuid.uuid4()), value="1000000")
    sent = call(
        wallet, address, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", str(uuid.uuid4())
    )
    look = lambda: transactions.get_transaction_by_id(sent.transaction_id)
    until("a call that no rules name", lambda: look().status.value, ["Rejected"])
    step("contract calls")
