"""What the scripts share: the local stack that argv[1] describes, and the stock client against it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import cobo_waas2 as cobo
from cobo_waas2.exceptions import ApiException

import operations

STACK = json.load(open(sys.argv[1]))
SECONDS = 90
# The operations that have succeeded on this stack, a line each: table.py counts them.
SUCCEEDED = Path(sys.argv[1]).with_name("succeeded")


def remember(name):
    with SUCCEEDED.open("a") as file:
        file.write(f"{name}\n")


operations.note(remember)


class Configuration(cobo.Configuration):
    """The two properties that a host of one's own needs: see docs/api/mpc-admin.md."""

    env = "self-hosted"
    resp_pubkey = STACK["mpcAdmin"]["responsePublicKey"]


def client(tenant, private_key=None, curve=None):
    key = private_key or STACK["tenants"][tenant]["keys"]["ed25519"]["privateKey"]
    return cobo.ApiClient(
        Configuration(api_private_key=key, host=STACK["mpcAdmin"]["url"], curve_type=curve)
    )


def step(text):
    print(text, flush=True)


def same(found, wanted, what):
    assert found == wanted, f"{what}: {found!r}, not {wanted!r}"


def refused(code, call, *args, **kwargs):
    """The call is refused with this code, in an error that the client can read."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.data is not None, f"unsigned or unreadable: {error}"
        same(error.data.error_code, code, error.data.error_message)
        assert error.data.error_id
        return
    raise AssertionError(f"not refused: {code}")


def until(what, look, wanted):
    deadline = time.time() + SECONDS
    while True:
        found = look()
        if found in wanted:
            return found
        assert time.time() < deadline, f"{what} is {found!r}, not one of {wanted!r}"
        time.sleep(0.1)


def run(*words):
    directory = sys.argv[1].rsplit("/", 1)[0]
    subprocess.run(
        sys.argv[2:] + list(words) + ["--data", directory], check=True, capture_output=True
    )


def control(verb, name):
    run("dev", verb, name)


def crash():
    """The platform dies without a word, and is started again."""
    os.kill(json.load(open(sys.argv[1]))["platform"]["pid"], signal.SIGKILL)

    def comes():
        try:
            control("start", "platform")
            return True
        except subprocess.CalledProcessError:
            return False

    until("the platform is started again", comes, [True])

    def answers():
        try:
            return bool(cobo.OrganizationsApi(api).get_org_info().org_id)
        except Exception:
            return False

    until("the platform answers", answers, [True])


def fund(address, coins):
    rpc("anvil_setBalance", address, str(coins * 10**18))


def rpc(method, *parameters):
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    ).encode()
    request = urllib.request.Request(
        STACK["chains"]["evm"]["rpcUrl"], body, {"Content-Type": "application/json"}
    )
    answer = json.load(urllib.request.urlopen(request))
    assert "error" not in answer, answer
    return answer["result"]


api = client(0)
mpc = cobo.WalletsMPCWalletsApi(api)
wallets = cobo.WalletsApi(api)
transactions = cobo.TransactionsApi(api)
books = cobo.AddressBooksApi(api)
nodes = {holder["name"]: holder["nodeId"] for holder in STACK["holders"]}
