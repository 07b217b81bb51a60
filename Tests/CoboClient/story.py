"""The stock client of Cobo WaaS 2 against a local stack of five holders.

    story.py DEV_JSON BIN_DEV...

Every answer is verified and deserialised by the client itself. Prints a line for each step; ends
with an error at the first thing that is not as it should be.
"""

import uuid

import cobo_waas2 as cobo
from bip32 import BIP32
from eth_keys.datatypes import PublicKey

from faces import agree, both_faces
from listening import Ear, ask_back
from signing import call_contracts, sign_messages
from stack import STACK, api, books, client, control, crash, fund, mpc, nodes, refused, rpc, same
from stack import step, transactions, until, wallets
from transfers import rbf, send, source_of


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
    for chains in [wallets.list_supported_chains, wallets.list_enabled_chains]:
        same([c.chain_id for c in chains().data], ["SETH"], "chains")
    same(wallets.get_chain_by_id("SETH").chain_id, "SETH", "chain")
    for tokens in [wallets.list_supported_tokens, wallets.list_enabled_tokens]:
        found = tokens(wallet_type=cobo.WalletType.MPC).data
        same([t.token_id for t in found], ["SETH", "SETH_USDT"], "tokens")
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
    both_faces(wallet)
    replace_bytes(wallet, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
    sign_messages(wallet, address)
    call_contracts(wallet, address)
    agree(wallet)
    ear.heard(vault, request, wallet)
    ask_back(wallet)
    lose(vault, main, recovery, roots)
    move(wallet, address, 9)
    agree(wallet)
    strangers(vault, wallet)
    change(project.project_id, vault)
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
    same(wallets.get_wallet_by_id(wallet).actual_instance.name, "Treasury", "name")
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
        found = wallets.check_address_chains_validity(one.address, "SETH")
        same([(f.chain_id, f.validity) for f in found], [("SETH", True)], "validity")
    found = wallets.check_addresses_validity("SETH", f"{addresses[0].address},nowhere")
    same([f.validity for f in found], [True, False], "validity")
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
    here = wallets.list_token_balances_for_address(wallet, address, token_ids="SETH").data
    assert float(here[0].balance.total) > coins - 2, here
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


def replace_bytes(wallet, payee):
    """What no block takes is sped up, and dropped, while the platform dies; the chain has what the
    newest bytes say."""
    def available():
        return float(
            wallets.list_token_balances_for_wallet(wallet, token_ids="SETH").data[0]
            .balance.available
        )

    for ask, kind, ends, spent in [
        (transactions.speedup_transaction_by_id, "SpeedUp", "Completed", 0.5),
        (transactions.drop_transaction_by_id, "Drop", "Failed", 0),
    ]:
        before = available()
        rpc("evm_setAutomine", False)
        sent = send(wallet, payee, "0.5", str(uuid.uuid4())).transaction_id
        look = lambda: transactions.get_transaction_by_id(sent)
        until(kind, lambda: look().status.value, ["Broadcasting"])
        first = look().transaction_hash
        name = str(uuid.uuid4())
        fee = transactions.estimate_fee(
            cobo.EstimateFeeParams(
                cobo.EstimateTransferFeeParams(
                    request_type=cobo.EstimateFeeRequestType.TRANSFER, token_id="SETH",
                    source=source_of(wallet), replaced_transaction_id=sent,
                )
            )
        ).actual_instance.recommended
        asked = ask(sent, rbf(name, fee.max_fee_per_gas, fee.max_priority_fee_per_gas))
        crash()
        same((asked.transaction_id, asked.request_id), (sent, name), kind)
        refused(12009, ask, sent, rbf(name, fee.max_fee_per_gas, fee.max_priority_fee_per_gas))
        until(kind, lambda: look().transaction_hash != first, [True])
        replacement = look().replacement
        same(replacement.replaced_type.value, kind, "replacement")
        same(replacement.replaced_transaction_hash, first, "replacement")
        found = transactions.list_transactions(request_id=name).data
        same([one.transaction_id for one in found], [sent], "the transfer by its new request_id")
        second = look().transaction_hash
        until(f"{kind} in the pool", lambda: rpc("eth_getTransactionByHash", second) is None,
              [False])
        same(rpc("eth_getTransactionByHash", first), None, "the first bytes, which are given up")
        crash()
        rpc("evm_setAutomine", True)
        until(kind, lambda: look().status.value, [ends])
        same(look().transaction_hash, second, "hash")
        assert 0 < before - available() - spent < 0.001, (kind, before, available())
    step("a speed-up and a drop")

    again = transactions.resend_transaction_by_id(
        sent, transaction_resend=cobo.TransactionResend(request_id=str(uuid.uuid4()))
    ).transaction_id
    assert again != sent
    look = lambda: transactions.get_transaction_by_id(again)
    until("what was dropped, sent again", lambda: look().status.value, ["Completed"])
    same(look().destination.actual_instance.account_output.amount, "0.5", "amount")
    step("sent again")

    built = send(
        wallet, payee, "0.25", str(uuid.uuid4()), process=cobo.TransactionProcessType.BUILDONLY
    ).transaction_id
    look = lambda: transactions.get_transaction_by_id(built)
    crash()
    same((look().status.value, look().sub_status.value), ("Submitted", "Built"), "what is built")
    same(transactions.sign_and_broadcast_transaction_by_id(built).transaction_id, built, "id")
    until("what was built only", lambda: look().status.value, ["Completed"])
    step("built only, then signed and broadcast")


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


def change(project, vault):
    """Names and entries can be changed, and entries removed."""
    renamed = cobo.UpdateMpcProjectByIdRequest(name="People")
    same(mpc.update_mpc_project_by_id(project, renamed).name, "People", "project")
    renamed = cobo.UpdateMpcVaultByIdRequest(name="History")
    same(mpc.update_mpc_vault_by_id(vault, renamed).name, "History", "vault")
    same(mpc.get_mpc_vault_by_id(vault).name, "History", "vault")
    entry = books.create_address_books(
        cobo.CreateAddressBooksParam(
            address_books=[
                cobo.CreateAddressBookParam(
                    chain_ids=["SETH"], address="0x" + "34" * 20, label="before"
                )
            ]
        )
    ).data[0].entry_id
    books.update_address_book_by_id(
        entry, cobo.UpdateAddressBookParam(chain_ids=["SETH"], label="after")
    )
    same(books.get_address_book_by_id(entry).label, "after", "label")
    books.delete_address_book_by_id(entry)
    refused(2028, books.get_address_book_by_id, entry)
    step("changes")


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


main()
