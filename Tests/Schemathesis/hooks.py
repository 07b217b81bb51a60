"""What schemathesis needs to know of Quorumkeep: how requests are signed, and what there is to name.

Half of what it generates is given the ids of things that exist, so that the rules behind the first
checks are reached. Codes of answers are counted, for the test that runs it.
"""

import atexit
import collections
import hashlib
import hmac
import json
import os
import secrets
import time
import zlib
from urllib.parse import urlsplit

import requests.auth
import schemathesis

with open(os.environ["QUORUMKEEP_THINGS"]) as file:
    things = json.load(file)

# What each name stands for, in a path or in a body.
known = {
    "vault": things["vaults"],
    "vaultId": things["vaults"],
    "wallet": things["wallets"],
    "walletId": things["wallets"],
    "sourceWalletId": things["wallets"],
    "destinationWalletId": things["wallets"],
    "entry": things["entries"],
    "addressBookEntryId": things["entries"],
    "transaction": things["transactions"],
    "event": things["events"],
    "key": [things["spares"]["key"]],
    "asset": ["ETH", "USDT"],
    "assetId": ["ETH", "USDT"],
    "network": ["eip155:31337"],
    "address": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
    "amount": ["0.001", "0.5", "2"],
    "maxFee": ["0.001"],
    "url": ["http://127.0.0.1:9/hook"],
}
# No network here has tags, and a destination is named once.
impossible = {"destinationAddress", "destinationTag", "tag"}


class Sign(requests.auth.AuthBase):
    def __call__(self, request):
        parts = urlsplit(request.url)
        target = parts.path + ("?" + parts.query if parts.query else "")
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        now, nonce = str(int(time.time())), secrets.token_hex(12)
        text = "\n".join([now, request.method, target, hashlib.sha256(body).hexdigest(), nonce])
        signature = hmac.new(things["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        request.headers.update(
            {
                "X-API-Key": things["key"],
                "X-Timestamp": now,
                "X-Nonce": nonce,
                "X-Signature": signature,
            }
        )
        return request


schemathesis.auth.set_from_requests(Sign())


def with_things(values):
    """Names what exists, in every second value, by its own bytes so that a seed repeats it."""
    if not isinstance(values, dict):
        return values
    text = json.dumps(values, sort_keys=True, default=str)
    if zlib.crc32(text.encode()) % 2 == 0:
        return values
    if "sourceWalletId" in values and "destinationWalletId" not in values:
        values = {**values, "addressBookEntryId": None}
    return {
        name: known[name][zlib.crc32((name + text).encode()) % len(known[name])]
        if name in known
        else value
        for name, value in values.items()
        if name not in impossible
    }


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return with_things(path_parameters)


@schemathesis.hook
def map_body(context, body):
    return with_things(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    # Who revokes the key that it signs with, or freezes the vault, has nothing to try afterwards.
    for name, spare in things["spares"].items():
        kept = [things["key"]] if name == "key" else known[name]
        if case.method != "GET" and (case.path_parameters or {}).get(name) in kept:
            if name != "vault" or case.method == "PATCH":
                case.path_parameters[name] = spare


counts = collections.Counter()


@schemathesis.hook
def after_call(context, case, response):
    try:
        code = response.json()["code"]
    except (ValueError, KeyError, TypeError):
        code = ""
    counts[f"{response.status_code} {code}".strip()] += 1


@atexit.register
def write_counts():
    with open(os.environ["QUORUMKEEP_COUNTS"], "w") as file:
        json.dump(counts, file)
