"""The two faces of one platform: what is done on /v2 is seen on /v1, and the other way round."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime
from decimal import Decimal

from stack import STACK, control, rpc, same, step, transactions, until, wallets
from transfers import send

PAYEE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
# How /v2 calls what /v1 calls so.
TOKENS = {"ETH": "SETH", "USDT": "SETH_USDT"}
TYPES = {"InternalTransfer": "Withdrawal"}
COIN = Decimal(10**18)
AMOUNT = Decimal("0.2")


def v1(method, path, body=None):
    """A request to /v1, with the tenant's other key."""
    key = STACK["tenants"][0]["keys"]["hmac"]
    content = b"" if body is None else json.dumps(body).encode()
    sent, nonce = str(int(time.time())), uuid.uuid4().hex
    signed = "\n".join([sent, method, f"/v1{path}", hashlib.sha256(content).hexdigest(), nonce])
    request = urllib.request.Request(
        STACK["custody"]["url"] + path, content or None, method=method,
        headers={
            "Content-Type": "application/json", "X-API-Key": key["keyId"], "X-Timestamp": sent,
            "X-Nonce": nonce,
            "X-Signature": hmac.new(
                key["secret"].encode(), signed.encode(), hashlib.sha256
            ).hexdigest(),
        },
    )
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {path}: {error.read().decode()}") from None


def number(text):
    return None if text is None else Decimal(text)


def status(shown):
    """What /v2 calls a status of /v1."""
    if shown["status"] == "Cancelled":
        return "Failed"
    refused = ["RefusedByHolders", "DeniedByCallback", "CallbackUnanswered", "AddressRemoved"]
    if shown["status"] == "Failed" and shown["failure"]["code"] in refused:
        return "Rejected"
    return shown["status"]


def on_v1(id):
    shown = v1("GET", f"/transactions/{id}")
    seconds = lambda text: int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
    return {
        "type": TYPES.get(shown["type"], shown["type"]), "status": status(shown),
        "wallet": shown["vaultId"], "amount": number(shown["amount"]), "hash": shown["txHash"],
        "from": shown["sourceAddress"], "to": shown["destinationAddress"],
        "fee": number(shown["fee"]), "max fee": number(shown["maxFee"]),
        "name": shown["externalId"], "note": shown["note"],
        "confirmations": shown["confirmations"],
        "timeline": [(status({**shown, **one}), seconds(one["at"])) for one in shown["timeline"]],
    }


def on_v2(id):
    shown = transactions.get_transaction_by_id(id)
    output = shown.destination.actual_instance.account_output
    fee = shown.fee.actual_instance
    return {
        "type": shown.type.value, "status": shown.status.value, "wallet": shown.wallet_id,
        "amount": number(output.amount), "hash": shown.transaction_hash,
        "from": shown.source.actual_instance.address or None, "to": output.address,
        "fee": number(fee.fee_used), "max fee": number(fee.max_fee_amount),
        "name": shown.request_id, "note": shown.description,
        "confirmations": shown.confirmed_num,
        "timeline": [
            (one.status.value, one.finished_timestamp // 1000) for one in shown.timeline
        ],
    }


def seen(id):
    """The transaction as both faces show it while nothing happens to it."""
    while True:
        before, other, after = on_v1(id), on_v2(id), on_v1(id)
        if before == after:
            same(other, before, "a transaction on /v2")
            return other


def balances(wallet):
    """What the wallet has, equal on both faces while nothing happens: total, available, pending
    and reserved, by token."""
    while True:
        before, other = balances_on_v1(wallet), balances_on_v2(wallet)
        after = balances_on_v1(wallet)
        if before == after:
            same(other, before, "balances on /v2")
            return other


def balances_on_v1(wallet):
    return {
        TOKENS[one["assetId"]]: tuple(
            Decimal(one[part]) for part in ["total", "available", "pending", "reserved"]
        )
        for one in v1("GET", f"/vaults/{wallet}/balances")
    }


def balances_on_v2(wallet):
    return {
        one.token_id: tuple(
            Decimal(part) for part in [
                one.balance.total, one.balance.available, one.balance.pending, one.balance.locked,
            ]
        )
        for one in wallets.list_token_balances_for_wallet(wallet, limit=50).data
    }


def agree(wallet):
    """Both faces list the same transactions, in the same states, and equal balances."""
    balances(wallet)
    ours, cursor = {}, None
    while cursor != "":
        page = transactions.list_transactions(wallet_ids=wallet, limit=50, after=cursor or None)
        ours.update({one.transaction_id: one.status.value for one in page.data})
        cursor = page.pagination.after
    theirs, after = {}, ""
    while after is not None:
        page = v1("GET", f"/transactions?vaultId={wallet}&limit=200{after}")
        theirs.update({one["id"]: status(one) for one in page["items"]})
        after = f"&after={page['next']}" if page["next"] else None
    same(ours, theirs, "transactions of a wallet on /v2")
    step(f"both faces show the same {len(ours)} transactions, and equal balances")


def withdraw(wallet, name):
    """A withdrawal that is started on /v1."""
    [source] = [
        one["id"] for one in v1("GET", f"/vaults/{wallet}/wallets")["items"]
        if one["assetId"] == "ETH"
    ]
    return v1("POST", "/transactions/withdraw", {
        "sourceWalletId": source, "destinationAddress": PAYEE, "amount": str(AMOUNT),
        "externalId": name, "note": "from the other face",
    })["id"]


def transfer(wallet, name):
    """The same, started on /v2."""
    return send(wallet, PAYEE, str(AMOUNT), name).transaction_id


def both_faces(wallet):
    for start in [transfer, withdraw]:
        before, name = balances(wallet)["SETH"], str(uuid.uuid4())
        id = start(wallet, name)
        until("a transfer", lambda: seen(id)["status"], ["Completed"])
        shown = seen(id)
        same((shown["name"], shown["amount"]), (name, AMOUNT), "what was asked for")
        same(
            [one for one, _ in shown["timeline"]],
            ["Submitted", "PendingSignature", "Broadcasting", "Confirming", "Completed"],
            "statuses",
        )
        mined = rpc("eth_getTransactionReceipt", shown["hash"])
        paid = int(mined["gasUsed"], 16) * int(mined["effectiveGasPrice"], 16) / COIN
        same(shown["fee"], paid, "fee, as the chain says")
        after = balances(wallet)["SETH"]
        same(before[0] - after[0], AMOUNT + paid, "what it cost")
        same(after[1:], (after[0], 0, 0), "nothing is left pending or reserved")
    step("a transfer of each face, as the other shows it")
    cancelled(wallet)


def cancelled(wallet):
    """What waits for holders waits on both faces, and is cancelled on the one that did not start
    it."""
    others = ["customer", "guardian"]
    for name in others:
        control("stop", name)
    for start, cancel in [
        (transfer, lambda id: v1("POST", f"/transactions/{id}/cancellation")),
        (withdraw, transactions.cancel_transaction_by_id),
    ]:
        before = balances(wallet)["SETH"]
        id = start(wallet, str(uuid.uuid4()))
        until("a transfer", lambda: seen(id)["status"], ["PendingSignature"])
        during = balances(wallet)["SETH"]
        same(during[3], AMOUNT + seen(id)["max fee"], "reserved")
        same(during[0], before[0], "total")
        cancel(id)
        until("a cancellation", lambda: seen(id)["status"], ["Failed"])
        same(transactions.get_transaction_by_id(id).sub_status.value, "CanceledByAPI", "why")
        same(v1("GET", f"/transactions/{id}")["status"], "Cancelled", "status on /v1")
        same(balances(wallet)["SETH"], before, "balance")
    for name in others:
        control("start", name)
    step("a transfer of each face that waits, cancelled on the other")
