#!/usr/bin/env python3
"""A toy shop with Python's standard library: a customer pays in, the shop hears of it by webhook,
and pays out.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import queue
import secrets
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """The API has answered, and it is no success. `code` is what to branch on."""

    def __init__(self, status, answer):
        super().__init__(f"{status} {answer.get('code')}: {answer.get('message')}")
        self.status = status
        self.code = answer.get("code")


class Custody:
    """The custody API, with signed requests."""

    def __init__(self, url, key, secret):
        self.url, self.key, self.secret = url, key, secret
        self.prefix = urllib.parse.urlsplit(url).path

    def headers(self, method, path, body):
        now, nonce = str(int(time.time())), secrets.token_hex(12)
        # The path is signed as it is sent, with the prefix /v1 and the query.
        lines = [now, method, self.prefix + path, hashlib.sha256(body).hexdigest(), nonce]
        signature = hmac.new(self.secret.encode(), "\n".join(lines).encode(), hashlib.sha256)
        return {
            "X-API-Key": self.key,
            "X-Timestamp": now,
            "X-Nonce": nonce,
            "X-Signature": signature.hexdigest(),
        }

    def call(self, method, path, content=None, idempotency_key=None):
        """Sends a request. What is safe to repeat is sent again, signed anew, if the line broke."""
        # Encoded once: what is repeated must have the same bytes.
        body = b"" if content is None else json.dumps(content).encode()
        tries = 3 if method != "POST" or idempotency_key else 1
        for attempt in range(1, tries + 1):
            headers = self.headers(method, path, body)
            if body:
                headers["Content-Type"] = "application/json"
            if idempotency_key:
                headers["Idempotency-Key"] = idempotency_key
            request = urllib.request.Request(
                self.url + path, data=body or None, method=method, headers=headers
            )
            try:
                with urllib.request.urlopen(request, timeout=15) as response:
                    answer = response.read()
                    return json.loads(answer) if answer else None
            except urllib.error.HTTPError as refusal:
                raise Refused(refusal.code, json.loads(refusal.read() or b"{}")) from None
            except OSError:
                if attempt == tries:
                    raise
                time.sleep(attempt)


class Deliveries:
    """Receives webhooks at a port of this machine, and keeps those that are rightly signed."""

    seconds_off_most = 300

    def __init__(self):
        self.secret = b""
        self.events = queue.Queue()
        self.seen = set()  # a real shop keeps these in its database
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                is_ours = receiver.is_signed(self.headers, body)
                if is_ours:
                    receiver.take(json.loads(body))
                # Answer at once: what takes long is done later, from the shop's own queue.
                self.send_response(204 if is_ours else 401)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def is_signed(self, headers, body):
        """Checks the signature of Standard Webhooks: over the bytes that came, unparsed."""
        name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not at.isdecimal() or abs(time.time() - int(at)) > self.seconds_off_most:
            return False
        signed = f"{name}.{at}.".encode() + body
        wanted = base64.b64encode(hmac.new(self.secret, signed, hashlib.sha256).digest()).decode()
        # After the secret was rotated there are two signatures, with a space between them.
        given = headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(one.encode(), f"v1,{wanted}".encode()) for one in given)

    def take(self, event):
        """An event may come twice: it has the same id, and is taken once."""
        if event["id"] not in self.seen:
            self.seen.add(event["id"])
            self.events.put(event)

    def wait_for(self, condition, seconds=60):
        """The next transaction of which the condition holds."""
        deadline = time.monotonic() + seconds
        while True:
            event = self.events.get(timeout=max(0.1, deadline - time.monotonic()))
            if event["type"].startswith("transaction.") and condition(event["data"]):
                return event["data"]


def is_refused(url):
    """Whether a delivery that somebody else made up is refused."""
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": "v1,AA==",
    }
    try:
        urllib.request.urlopen(urllib.request.Request(url, data=b"{}", headers=headers))
    except urllib.error.HTTPError as refusal:
        return refusal.code == 401
    return False


def main():
    with open(os.environ.get("QUORUMKEEP_STACK", ".quorumkeep-dev/dev.json")) as file:
        stack = json.load(file)
    key = stack["tenants"][0]["keys"]["hmac"]
    custody = Custody(stack["custody"]["url"], key["keyId"], key["secret"])
    order = secrets.token_hex(4)

    # The secret is told when an endpoint is set, and never again: keep it.
    deliveries = Deliveries()
    endpoint = custody.call("PUT", "/webhooks/outbound", {"url": deliveries.url})
    deliveries.secret = base64.b64decode(endpoint["signingSecret"])
    if not is_refused(deliveries.url):
        sys.exit("toy shop: a forged delivery was taken")

    # A customer has a vault, named by the shop's own id for the customer, and in it a wallet for
    # each asset. Asked for again, the same vault comes back: a second try doubles nothing.
    vault = custody.call(
        "POST", "/vaults", {"externalId": f"customer-{order}", "name": "A customer"}
    )
    wallet = custody.call("POST", f"/vaults/{vault['id']}/wallets", {"assetId": "ETH"})
    print(f"order {order}: please pay 3 ETH to {wallet['depositAddress']}")

    # The customer pays. Here the simulated chain's faucet does.
    pay(stack["chains"]["evm"]["rpcUrl"], wallet["depositAddress"], 3 * 10**18)
    deposit = deliveries.wait_for(
        lambda it: it["type"] == "Deposit"
        and it["walletId"] == wallet["id"]
        and it["status"] == "Completed"
    )
    print(f"order {order}: paid by deposit {deposit['id']}, {deposit['amount']} ETH")

    # Payouts go to addresses of the address book alone; an entry may have to cool before it is
    # active. (This address is of digits alone, so that it has no letters whose case is a checksum.)
    destination = "0x" + "".join(secrets.choice("0123456789") for _ in range(40))
    entry = custody.call(
        "POST",
        "/address-book",
        {
            "network": wallet["network"],
            "address": destination,
            "label": "Customer",
            "externalId": f"payout-address-{order}",
        },
    )
    while custody.call("GET", f"/address-book/{entry['id']}")["status"] == "Pending":
        time.sleep(0.5)

    # The external id is the shop's own name for the payout: it is never paid twice, however often
    # it is asked for. The idempotency key gives a repeated request the first one's answer.
    content = {
        "sourceWalletId": wallet["id"],
        "addressBookEntryId": entry["id"],
        "amount": "1.25",
        "externalId": f"payout-{order}",
    }
    payout, again = (
        custody.call("POST", "/transactions/withdraw", content, f"payout-{order}") for _ in range(2)
    )
    if payout["id"] != again["id"]:
        sys.exit("toy shop: two withdrawals for one payout")
    print(f"order {order}: payout {payout['id']} is {payout['status']}")

    # It ends Completed, Failed or Cancelled; until then `waitingFor` says what it waits for.
    ended = ("Completed", "Failed", "Cancelled")
    payout = deliveries.wait_for(lambda it: it["id"] == payout["id"] and it["status"] in ended)
    if payout["status"] != "Completed":
        sys.exit(f"toy shop: the payout failed: {payout['failure']} {payout['refusals']}")
    print(f"order {order}: paid out in {payout['txHash']} for a fee of {payout['fee']}")

    left = custody.call("GET", f"/wallets/{wallet['id']}")["balance"]["available"]
    print(f"order {order}: left are {left} ETH")


def pay(chain, address, wei):
    call = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance", "params": [address, str(wei)]}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(chain, data=json.dumps(call).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=15) as response:
        response.read()


if __name__ == "__main__":
    main()
