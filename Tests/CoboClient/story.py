"""The stock client of Cobo WaaS 2 against a local stack of five holders.

    story.py DEV_JSON BIN_DEV...

Every answer is verified and deserialised by the client itself. Prints a line for each step; ends
with an error at the first thing that is not as it should be.
"""

import json
import subprocess
import sys
import time
import urllib.request
import uuid

import cobo_waas2 as cobo
from bip32 import BIP32
from cobo_waas2.exceptions import ApiException
from eth_keys.datatypes import PublicKey
from nacl.signing import SigningKey
from receiver import Receiver

STACK = json.load(open(sys.argv[1]))
SECONDS = 90


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


def fund(address, coins):
    body = json.dumps(
        {
            "jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance",
            "params": [address, str(coins * 10**18)],
        }
    ).encode()
    request = urllib.request.Request(
        STACK["chains"]["evm"]["rpcUrl"], body, {"Content-Type": "application/json"}
    )
    assert "error" not in json.load(urllib.request.urlopen(request))


api = client(0)
mpc = cobo.WalletsMPCWalletsApi(api)
wallets = cobo.WalletsApi(api)
transactions = cobo.TransactionsApi(api)
books = cobo.AddressBooksApi(api)
nodes = {holder["name"]: holder["nodeId"] for holder in STACK["holders"]}


def holder(name, kind="API"):
    return cobo.CreateKeyShareHolder(
        name=name, type=cobo.KeyShareHolderType(kind), tss_node_id=nodes[name], signer=True
    )


def group(vault, kind, participants, threshold, holders):
    return mpc.create_key_share_holder_group(
        vault,
        cobo.CreateKeyShareHolderGroupRequest(
            key_share_holder_group_type=cobo.KeyShareHolderGroupType(kind),
            participants=participants, threshold=threshold, key_share_holders=holders,
        ),
    )


def shares(vault, kind, target, source=None):
    """Has shares made, and waits until all holders have them."""
    request = mpc.create_tss_request(
        vault,
        cobo.CreateTssRequestRequest(
            type=cobo.TSSRequestType(kind), target_key_share_holder_group_id=target,
            source_key_share_holder_group=source, description=f"story: {kind}",
        ),
    )
    assert len(request.tss_request_id) == 32 and request.tss_request_id.isdigit()
    until(
        kind,
        lambda: mpc.get_tss_request_by_id(vault, request.tss_request_id).status.value,
        ["Success"],
    )
    listed = mpc.list_tss_requests(vault, target)
    assert request.tss_request_id in [one.tss_request_id for one in listed.data]
    step(f"{kind} has succeeded")
    return request.tss_request_id


def find(vault, id):
    return mpc.get_key_share_holder_group_by_id(vault, id)


def main():
    who = cobo.OrganizationsApi(api).get_org_info()
    same(who.org_id, STACK["tenants"][0]["id"], "organisation")
    info = cobo.DevelopersApi(api).get_api_key_info()
    same(info.key, STACK["tenants"][0]["keys"]["ed25519"]["publicKey"], "API key")
    same([c.chain_id for c in wallets.list_supported_chains().data], ["SETH"], "chains")
    tokens = wallets.list_enabled_tokens(wallet_type=cobo.WalletType.MPC).data
    same([t.token_id for t in tokens], ["SETH", "SETH_USDT"], "tokens")
    same(wallets.get_token_by_id("SETH_USDT").decimal, 6, "decimals")
    own = mpc.list_cobo_key_holders()
    same([h.tss_node_id for h in own], [nodes["operator"]], "the platform's holder")
    step("who we are, chains, tokens")
    ear = Ear()

    project = mpc.create_mpc_project(
        cobo.CreateMpcProjectRequest(name="Users", participants=3, threshold=2)
    )
    same(mpc.get_mpc_project_by_id(project.project_id).name, "Users", "project")
    vault = mpc.create_mpc_vault(
        cobo.CreateMpcVaultRequest(
            name="Story", vault_type=cobo.MPCVaultType("User-Controlled"),
            project_id=project.project_id,
        )
    ).vault_id
    step("project and vault")

    main_group = group(vault, "MainGroup", 3, 2, [holder("customer"), holder("guardian")])
    same(main_group.status.value, "New", "status")
    same(len(main_group.key_share_holders), 3, "holders, the platform's among them")
    assert all(h.online for h in main_group.key_share_holders)
    main = main_group.key_share_holder_group_id
    refused(2040, group, vault, "MainGroup", 3, 2, [holder("customer"), holder("guardian")])
    signing = group(vault, "SigningGroup", 2, 2, [holder("customer")]).key_share_holder_group_id
    recovery = group(
        vault, "RecoveryGroup", 2, 2, [holder("customer"), holder("holder-4")]
    ).key_share_holder_group_id
    refused(2040, group, vault, "SigningGroup", 3, 2, [holder("customer"), holder("customer")])
    refused(2006, group, vault, "SigningGroup", 3, 2, [holder("customer")])
    unknown = cobo.CreateKeyShareHolder(
        name="x", type=cobo.KeyShareHolderType.API, tss_node_id="00" * 32
    )
    refused(2006, group, vault, "SigningGroup", 2, 2, [unknown])
    source = cobo.SourceGroup(key_share_holder_group_id=main)
    refused(30032, shares, vault, "KeyGenFromKeyGroup", signing, source)
    step("groups, and what is refused")

    request = shares(vault, "KeyGen", main)
    refused(2006, mpc.cancel_tss_request_by_id, vault, request)
    refused(2040, shares, vault, "KeyGen", main)
    same(find(vault, main).status.value, "Valid", "main group")
    roots = mpc.get_mpc_vault_by_id(vault).root_pubkeys
    same(sorted(r.curve.value for r in roots), ["ED25519", "SECP256K1"], "curves")
    root = next(r.root_pubkey for r in roots if r.curve.value == "SECP256K1")
    assert next(r.root_pubkey for r in roots if r.curve.value == "ED25519").startswith("cpub")

    shares(vault, "KeyGenFromKeyGroup", signing, source)
    shares(vault, "KeyGenFromKeyGroup", recovery, source)
    groups = mpc.list_key_share_holder_groups(vault, limit=2)
    same((len(groups.data), groups.pagination.total_count), (2, 3), "groups")
    rest = mpc.list_key_share_holder_groups(vault, limit=2, after=groups.pagination.after)
    same((len(rest.data), rest.pagination.after), (1, ""), "the other groups")
    for one in groups.data + rest.data:
        for part in one.tss_key_share_groups:
            assert part.root_pubkey in [r.root_pubkey for r in roots]

    wallet, address = make_wallet(vault, root)
    move(wallet, address, 5)
    ear.heard(vault, request, wallet)
    ask_back(wallet)
    lose(vault, main, recovery, roots)
    move(wallet, address, 9)
    strangers(vault, wallet)
    step("done")


def make_wallet(vault, root):
    found = wallets.list_wallets(vault_id=vault).data
    same(len(found), 1, "the wallet that comes with the keys")
    made = wallets.create_wallet(
        cobo.CreateWalletParams(
            cobo.CreateMpcWalletParams(
                name="Savings", wallet_type=cobo.WalletType.MPC,
                wallet_subtype=cobo.WalletSubtype("User-Controlled"), vault_id=vault,
            )
        )
    ).actual_instance
    same((made.vault_id, made.project_name), (vault, "Users"), "wallet")
    wallet = made.wallet_id
    changed = wallets.update_wallet_by_id(
        wallet,
        cobo.UpdateWalletParams(
            cobo.UpdateMpcWalletParams(wallet_type=cobo.WalletType.MPC, name="Treasury")
        ),
    ).actual_instance
    same(changed.name, "Treasury", "name")
    addresses = wallets.create_address(
        wallet, cobo.CreateAddressRequest(chain_id="SETH", count=2)
    )
    same(len(addresses), 2, "addresses")
    listed = wallets.list_addresses(wallet, chain_ids="SETH").data
    same({a.address for a in listed}, {a.address for a in addresses}, "addresses")
    for one in addresses:
        same(one.root_pubkey, root, "root")
        key = BIP32.from_xpub(root).get_pubkey_from_path(one.path)
        same(one.pubkey, key.hex(), "key, as another library derives it")
        same(
            one.address, PublicKey.from_compressed_bytes(key).to_checksum_address(), "address"
        )
        same(wallets.check_address_validity("SETH", one.address).validity, True, "validity")
    step("wallet, and addresses that another library derives from the root")
    return wallet, addresses[0].address


def move(wallet, address, coins):
    fund(address, coins)

    def available():
        balances = wallets.list_token_balances_for_wallet(wallet, token_ids="SETH").data
        return float(balances[0].balance.available) if balances else 0

    until("a deposit", lambda: available() > coins - 2, [True])
    held = wallets.list_address_balances_by_token(wallet, "SETH").data
    assert max(float(one.balance.total) for one in held) > coins - 2
    label = f"payee {coins}"
    payee = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    if not books.list_address_books(chain_id="SETH", address=payee).data:
        refused(30014, send, wallet, payee, "1", str(uuid.uuid4()))
        entry = books.create_address_books(
            cobo.CreateAddressBooksParam(
                address_books=[
                    cobo.CreateAddressBookParam(chain_ids=["SETH"], address=payee, label=label)
                ]
            )
        ).data[0]
        same(books.get_address_book_by_id(entry.entry_id).label, label, "label")
        refused(2040, books.create_address_books, cobo.CreateAddressBooksParam(
            address_books=[cobo.CreateAddressBookParam(chain_ids=["SETH"], address=payee)]))
    estimate = transactions.estimate_fee(
        cobo.EstimateFeeParams(
            cobo.EstimateTransferFeeParams(
                request_type=cobo.EstimateFeeRequestType.TRANSFER, token_id="SETH",
                source=source_of(wallet),
            )
        )
    ).actual_instance
    assert float(estimate.recommended.reserved_fee) > 0
    name = str(uuid.uuid4())
    refused(12007, send, wallet, payee, "1000000", name)
    sent = send(wallet, payee, "1", name)
    same(sent.request_id, name, "request_id")
    refused(12009, send, wallet, payee, "1", name)
    look = lambda: transactions.get_transaction_by_id(sent.transaction_id)
    until("a transfer", lambda: look().status.value, ["Completed"])
    detail = look()
    assert detail.transaction_hash.startswith("0x") and detail.timeline
    same(detail.destination.actual_instance.account_output.address, payee, "destination")
    refused(60005, transactions.cancel_transaction_by_id, sent.transaction_id)
    found = transactions.list_transactions(wallet_ids=wallet, types="Withdrawal,Deposit").data
    assert {"Deposit", "Withdrawal"} <= {one.type.value for one in found}
    same(
        [one.transaction_id for one in transactions.list_transactions(request_id=name).data],
        [sent.transaction_id], "the transfer by its request_id",
    )
    rejected = transactions.list_transactions(request_id=name, statuses="Rejected").data
    same(rejected, [], "rejected")
    step(f"deposit and transfer, with {coins} coins")


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


def lose(vault, main, recovery, roots):
    """The guardian is lost for good: a recovery gives its place to another holder."""
    control("stop", "guardian")
    until(
        "guardian",
        lambda: mpc.get_key_share_holder_by_tss_node_id(vault, nodes["guardian"]).online,
        [False],
    )
    replace(vault, nodes["guardian"], main, nodes["holder-5"])
    same(find(vault, main).status.value, "Unavailable", "main group without its holder")
    same(
        mpc.get_key_share_holder_by_tss_node_id(vault, nodes["holder-5"]).status.value,
        "Changed", "its replacement",
    )
    shares(
        vault, "Recovery", main,
        cobo.SourceGroup(
            key_share_holder_group_id=recovery,
            tss_node_ids=[nodes["customer"], nodes["holder-4"]],
        ),
    )
    same(find(vault, main).status.value, "Valid", "main group")
    now = mpc.get_mpc_vault_by_id(vault).root_pubkeys
    same({r.root_pubkey for r in now}, {r.root_pubkey for r in roots}, "roots")


def replace(vault, lost, group, replacement):
    """An endpoint that the client has not: called through it nevertheless."""
    request = api.param_serialize(
        method="PUT",
        resource_path=f"/wallets/mpc/vaults/{vault}/key_share_holders/{lost}",
        header_params={"Content-Type": "application/json"},
        body={"key_share_holder_group_id": group, "replacement_tss_node_id": replacement},
    )
    response = api.call_api(*request)
    response.read()
    api.response_deserialize(response, {"200": "KeyShareHolderGroup"})


def strangers(vault, wallet):
    """Another tenant sees nothing of ours, and no key counts that was not admitted."""
    other = client(1)
    refused(2028, cobo.WalletsMPCWalletsApi(other).get_mpc_vault_by_id, vault)
    refused(2028, cobo.WalletsApi(other).get_wallet_by_id, wallet)
    same(cobo.WalletsApi(other).list_wallets(vault_id=vault).data, [], "another's wallets")
    stranger = client(0, "22" * 32, "SECP256K1")
    refused(2024, cobo.OrganizationsApi(stranger).get_org_info)
    same(cobo.DevelopersWebhooksApi(other).list_webhook_endpoints().data, [], "endpoints")
    same(cobo.DevelopersApi(other).list_callback_messages().data, [], "callbacks")
    refused(2002, wallets.delete_wallet_by_id, wallet)
    step("strangers")


class Ear:
    """An endpoint that is told of everything, and fails at each event once."""

    def __init__(self):
        self.hooks = cobo.DevelopersWebhooksApi(api)
        known = [one.event_type for one in self.hooks.list_webhook_event_definitions()]
        self.seen = set()
        self.receiver = Receiver(Configuration.resp_pubkey, self.answer)
        request = cobo.CreateWebhookEndpointRequest(
            url=self.receiver.url, subscribed_events=known, description="story"
        )
        self.endpoint = self.hooks.create_webhook_endpoint(request).endpoint_id
        found = self.hooks.get_webhook_endpoint_by_id(self.endpoint)
        same((found.url, found.subscribed_events), (self.receiver.url, known), "endpoint")
        request.subscribed_events = [cobo.WebhookEventType.WALLETS_DOT_TOKEN_LISTING_DOT_FAILED]
        refused(2006, self.hooks.create_webhook_endpoint, request)
        step("a webhook endpoint")

    def answer(self, body):
        event = json.loads(body)["event_id"]
        if event in self.seen:
            return 201, b""
        self.seen.add(event)
        return 500, b"once more"

    def events(self):
        """What came, by event: it came again, and was the same."""
        assert not self.receiver.faults, self.receiver.faults
        found = {}
        for body in list(self.receiver.bodies):
            event = cobo.WebhookEvent.from_json(body)
            before = found.setdefault(event.event_id, event)
            same(event.data.to_dict(), before.data.to_dict(), "content")
            same(event.url, self.receiver.url, "URL")
        return found

    def wait(self, type, matches):
        """Waits for an event of the type whose data is this."""
        found = lambda: [
            event for event in self.events().values()
            if event.type.value == type and matches(event.data.actual_instance)
        ]
        until(type, lambda: bool(found()), [True])
        return found()[0]

    def heard(self, vault, request, wallet):
        for what in ["created", "succeeded"]:
            event = self.wait(
                f"wallets.mpc.tss_request.{what}", lambda data: data.tss_request_id == request
            )
        same(event.data.actual_instance.status.value, "Success", "TSS request")
        self.wait("mpc_vaults.created", lambda data: data.vault_id == vault)
        self.wait("mpc_vaults.updated", lambda data: len(data.root_pubkeys or []) == 2)
        for what in ["created", "updated"]:
            self.wait(
                f"wallets.{what}", lambda data: data.wallet.actual_instance.wallet_id == wallet
            )
        self.wait(
            "wallets.addresses.created", lambda data: data.addresses[0].wallet_id == wallet
        )
        for what in ["created", "updated", "succeeded"]:
            event = self.wait(
                f"wallets.transaction.{what}",
                lambda data: data.wallet_id == wallet and data.type.value == "Withdrawal",
            )
        same(event.data.actual_instance.status.value, "Completed", "transaction")
        hooks, endpoint, id = self.hooks, self.endpoint, event.event_id
        look = lambda: hooks.get_webhook_event_by_id(event_id=id, endpoint_id=endpoint)
        until("a delivery", lambda: look().status.value, ["Success"])
        same(look().data.to_dict(), event.data.to_dict(), "content")
        logs = hooks.list_webhook_event_logs(event_id=id, endpoint_id=endpoint).data
        same([log.success for log in logs], [True, False], "tries")
        same(logs[1].response_body, "once more", "what the receiver said")
        refused(2006, hooks.retry_webhook_event_by_id, event_id=id, endpoint_id=endpoint)
        listed = hooks.list_webhook_events(endpoint, status=cobo.WebhookEventStatus.SUCCESS).data
        assert listed, "events"
        step("events, each of them twice")
        self.trigger()

    def trigger(self):
        hooks, endpoint = self.hooks, self.endpoint
        type = cobo.WebhookEventType.WALLETS_DOT_TRANSACTION_DOT_FAILED
        answer = hooks.trigger_test_webhook_event(
            cobo.TriggerTestWebhookEventRequest(
                event_type=type, override_data={"description": "story"}
            )
        )
        same(answer.triggered, True, "triggered")
        event = self.wait(type.value, lambda data: data.description == "story")
        # Its next try would be after a pause: it is asked for now.
        retried = hooks.retry_webhook_event_by_id(event_id=event.event_id, endpoint_id=endpoint)
        same(retried.retried, True, "retried")
        look = lambda: hooks.get_webhook_event_by_id(
            event_id=event.event_id, endpoint_id=endpoint
        )
        until("the sample", lambda: look().status.value, ["Success"])
        ended = hooks.update_webhook_endpoint_by_id(
            endpoint, cobo.UpdateWebhookEndpointByIdRequest(status="STATUS_INACTIVE")
        )
        same(ended.status.value, "STATUS_INACTIVE", "endpoint")
        step("a test event, sent again when asked for")


def ask_back(wallet):
    """A key whose server says deny, and then nothing, and then ok."""
    answers = [(200, b"deny"), (500, b"ok"), (200, b"ok")]
    server = Receiver(Configuration.resp_pubkey, lambda _: answers.pop(0))
    secret = SigningKey.generate()
    run(
        "key", "create", "--name", "asking", "--tenant", STACK["tenants"][0]["id"],
        "--public-key", secret.verify_key.encode().hex(), "--callback-url", server.url,
    )
    asking = client(0, secret.encode().hex())
    same(cobo.DevelopersApi(asking).get_api_key_info().callback_url, server.url, "callback URL")
    payee = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

    def start(name):
        return send(wallet, payee, "0.01", name, cobo.TransactionsApi(asking)).transaction_id

    denied = start(str(uuid.uuid4()))
    look = lambda: transactions.get_transaction_by_id(denied)
    until("what is denied", lambda: look().status.value, ["Rejected"])
    same(look().sub_status.value, "RejectedApproverAuth", "sub-status")
    name = str(uuid.uuid4())
    approved = start(name)
    until(
        "what is approved",
        lambda: transactions.get_transaction_by_id(approved).status.value, ["Completed"],
    )
    messages = cobo.DevelopersApi(api)
    found = messages.list_callback_messages(request_ids=name).data
    same([(m.status, m.result, m.transaction_id) for m in found],
         [("Approved", "ok", approved)], "callback")
    refused(2006, messages.retry_callback_message, found[0].id)
    found = messages.list_callback_messages(status="Denied").data
    same([m.transaction_id for m in found], [denied], "denied")
    assert not server.faults, server.faults
    asked = [cobo.Transaction.from_json(body).transaction_id for body in server.bodies]
    same(asked, [denied, approved, approved], "what was asked about")
    step("a callback that denies, and one that approves")


main()
