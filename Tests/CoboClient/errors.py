"""Every documented error of the MPC administration API, provoked through the stock client.

    errors.py DEV_JSON BIN...

Prints a line for each code, and ends with an error at the first that is not as documented, or that
has changed something.
"""

import uuid
from concurrent.futures import ThreadPoolExecutor

import cobo_waas2 as cobo
from cobo_waas2.exceptions import ApiException

from transfers import rbf
from stack import STACK, api, books, client, control, fund, mpc, nodes, refused, rpc, run, same
from stack import step, transactions, until, wallets

PAYEE = "0x52908400098527886E0F7030069857D2E4169EE7"


def raw(method, path, body=None, query=(), headers=None, on=api):
    """A request that the client's methods would not make, sent and read by the client."""
    request = on.param_serialize(
        method=method, resource_path=path, query_params=list(query),
        header_params={"Content-Type": "application/json", **(headers or {})}, body=body,
    )
    return read(on.call_api(*request), on)


def read(response, on=api):
    response.read()
    return on.response_deserialize(response, {
        "200": "object", "201": "object", "4XX": "ErrorResponse", "5XX": "ErrorResponse",
    })


def admit(seed, *options):
    """A client with a key of its own, which the operator admits by the command line."""
    public = client(0, seed).configuration.signer.get_public_key()
    run(
        "key", "create", "--tenant", STACK["tenants"][0]["id"], "--name", "errors",
        "--public-key", public, *options,
    )
    return client(0, seed)


def holder(name, node=None):
    return cobo.CreateKeyShareHolder(
        name=name, type=cobo.KeyShareHolderType.API, tss_node_id=node or nodes[name], signer=True
    )


def group(vault, kind, participants, threshold, holders):
    return mpc.create_key_share_holder_group(
        vault,
        cobo.CreateKeyShareHolderGroupRequest(
            key_share_holder_group_type=cobo.KeyShareHolderGroupType(kind),
            participants=participants, threshold=threshold, key_share_holders=holders,
        ),
    ).key_share_holder_group_id


def shares(vault, kind, target, source=None):
    return mpc.create_tss_request(
        vault,
        cobo.CreateTssRequestRequest(
            type=cobo.TSSRequestType(kind), target_key_share_holder_group_id=target,
            source_key_share_holder_group=source,
        ),
    ).tss_request_id


def org_vault(name):
    return mpc.create_mpc_vault(
        cobo.CreateMpcVaultRequest(name=name, vault_type=cobo.MPCVaultType("Org-Controlled"))
    ).vault_id


def send(wallet, amount, token="SETH", payee=PAYEE, request_id=None, description=None):
    return transactions.create_transfer_transaction(
        cobo.TransferParams(
            request_id=request_id or str(uuid.uuid4()), token_id=token, description=description,
            source=cobo.TransferSource(
                cobo.MpcTransferSource(
                    source_type=cobo.WalletSubtype("Org-Controlled"), wallet_id=wallet
                )
            ),
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


def make_wallet(vault, name):
    return wallets.create_wallet(
        cobo.CreateWalletParams(
            cobo.CreateMpcWalletParams(
                name=name, wallet_type=cobo.WalletType.MPC,
                wallet_subtype=cobo.WalletSubtype("Org-Controlled"), vault_id=vault,
            )
        )
    ).actual_instance.wallet_id


def succeeded(vault, request):
    return lambda: mpc.get_tss_request_by_id(vault, request).status.value == "Success"


def doors():
    """What is refused before anybody asks what the request is for."""
    refused(2021, raw, "GET", "/nothing/here")
    refused(2002, raw, "DELETE", "/wallets")
    refused(2002, wallets.list_utxos, str(uuid.uuid4()), "SETH")
    step("2002 2021")

    url = STACK["mpcAdmin"]["url"] + "/organizations/info"
    headers = api.param_serialize(method="GET", resource_path="/organizations/info")[2]
    refused(2022, lambda: read(api.rest_client.request("GET", url, headers=dict(headers))))
    step("2022")

    class Tampering(cobo.ApiClient):
        """Signs one request and sends another."""

        def call_api(self, method, url, *rest, **more):
            request = self.rest_client.request
            self.rest_client.request = lambda method, url, **all: request(
                method, url + "?limit=1", **all
            )
            try:
                return super().call_api(method, url, *rest, **more)
            finally:
                self.rest_client.request = request

    tampering = Tampering(api.configuration)
    refused(2023, cobo.WalletsApi(tampering).list_wallets)
    step("2023")

    refused(2024, cobo.OrganizationsApi(client(0, "33" * 32)).get_org_info)
    before = len(mpc.list_mpc_projects(limit=50).data)
    kept = []
    request = api.rest_client.request
    api.rest_client.request = lambda *all, **more: kept.append((all, more)) or request(*all, **more)
    mpc.create_mpc_project(cobo.CreateMpcProjectRequest(name="Once", participants=2, threshold=2))
    api.rest_client.request = request
    all, more = kept[0]
    refused(2024, lambda: read(request(*all, **more)))
    same(len(mpc.list_mpc_projects(limit=50).data), before + 1, "projects after a replay")
    step("2024, for a stranger and for a replay")

    reader = admit("44" * 32, "--permission", "mpc_vault:read")
    cobo.WalletsMPCWalletsApi(reader).list_mpc_vaults(cobo.MPCVaultType("Org-Controlled"))
    refused(2025, cobo.WalletsApi(reader).list_wallets)
    elsewhere = admit("55" * 32, "--cidr", "192.0.2.0/24")
    refused(2024, cobo.OrganizationsApi(elsewhere).get_org_info)
    step("2025, and 2024 for an address that is not the key's")


def values():
    """Parameters that are missing, or not as they must be."""
    refused(2003, raw, "GET", "/wallets/mpc/vaults")
    refused(2003, raw, "POST", "/wallets/mpc/projects", {"name": "x", "threshold": 2})
    step("2003")
    refused(2006, raw, "GET", "/wallets/mpc/vaults", query=[("vault_type", "Mine")])
    refused(2006, raw, "GET", "/wallets", query=[("limit", "51")])
    refused(2006, raw, "GET", "/wallets", query=[("page", "1")])
    refused(2006, raw, "GET", "/wallets", query=[("after", "nowhere")])
    half = {"name": "x", "participants": 2.5, "threshold": 2}
    refused(2006, raw, "POST", "/wallets/mpc/projects", half)
    refused(2028, wallets.get_wallet_by_id, str(uuid.uuid4()))
    refused(2028, mpc.get_mpc_vault_by_id, str(uuid.uuid4()))
    refused(60004, transactions.get_transaction_by_id, str(uuid.uuid4()))
    refused(60004, transactions.cancel_transaction_by_id, str(uuid.uuid4()))
    refused(2028, wallets.get_token_by_id, "DOGE")
    step("2006 2028 60004")


def key_shares():
    """Groups and TSS requests that cannot be."""
    vault, other = org_vault("Errors"), org_vault("Other")
    pair = [holder("customer"), holder("guardian")]
    for participants, threshold in [(2, 1), (3, 1), (4, 2), (4, 3), (1, 1), (2, 3)]:
        refused(2006, group, vault, "MainGroup", participants, threshold, pair)
    refused(2006, group, vault, "MainGroup", 2, 2, pair)
    refused(2040, group, vault, "MainGroup", 3, 2, [holder("customer"), holder("customer")])
    refused(2006, group, vault, "MainGroup", 3, 2, [holder("customer"), holder("x", "ab" * 32)])
    same(mpc.list_key_share_holder_groups(vault).data, [], "groups after what was refused")

    main = group(vault, "MainGroup", 3, 2, pair)
    refused(2040, group, vault, "MainGroup", 3, 2, pair)
    signing = group(vault, "SigningGroup", 2, 2, [holder("customer")])
    source = cobo.SourceGroup(key_share_holder_group_id=main)
    refused(30032, shares, vault, "KeyGenFromKeyGroup", signing, source)
    refused(30032, make_wallet, vault, "Too early")
    refused(2006, shares, vault, "KeyGen", signing)

    control("stop", "guardian")
    until(
        "guardian",
        lambda: [h.online for h in mpc.list_key_share_holders(vault).data if h.name == "guardian"],
        [[False]],
    )
    refused(2006, shares, vault, "KeyGen", main)
    same(mpc.list_tss_requests(vault, main).data, [], "requests after what was refused")
    unconfirmed()
    control("start", "guardian")
    until(
        "guardian",
        lambda: [h.online for h in mpc.list_key_share_holders(vault).data if h.name == "guardian"],
        [[True]],
    )
    request = shares(vault, "KeyGen", main)
    refused(2040, shares, vault, "KeyGen", main)
    until("KeyGen", succeeded(vault, request), [True])
    refused(2006, mpc.cancel_tss_request_by_id, vault, request)
    same(mpc.get_tss_request_by_id(vault, request).status.value, "Success", "KeyGen")
    refused(2040, shares, vault, "KeyGen", main)
    refused(2028, mpc.get_tss_request_by_id, other, request)

    second = group(other, "MainGroup", 3, 2, pair)
    foreign = group(other, "SigningGroup", 2, 2, [holder("customer")])
    refused(2028, shares, other, "KeyGenFromKeyGroup", foreign, source)
    same(mpc.list_tss_requests(other, foreign).data, [], "requests after what was refused")
    same(mpc.get_key_share_holder_group_by_id(other, second).status.value, "New", "main group")
    shares_of_signing(vault, main, signing, source)
    step("2040 30032, schemes, holders, sources and requests")
    return vault


def unconfirmed():
    """What a telephone that is off has not confirmed can be cancelled, and its group goes."""
    vault = org_vault("Telephone")
    telephone = cobo.CreateKeyShareHolder(
        name="telephone", type=cobo.KeyShareHolderType.MOBILE, tss_node_id=nodes["guardian"],
        signer=True,
    )
    main = group(vault, "MainGroup", 3, 2, [holder("customer"), telephone])
    request = shares(vault, "KeyGen", main)
    refused(2040, mpc.delete_key_share_holder_group_by_id, vault, main)
    look = lambda: mpc.get_tss_request_by_id(vault, request).status.value
    assert look() in ["PendingKeyHolderConfirmation", "MPCProcessing"], look()
    same(mpc.cancel_tss_request_by_id(vault, request).status.value, "Success", "cancellation")
    same(look(), "KeyHolderConfirmationFailed", "what was cancelled")
    same(mpc.delete_key_share_holder_group_by_id(vault, main).submitted, True, "deletion")
    same(mpc.list_key_share_holder_groups(vault).data, [], "groups")
    step("a request that is cancelled, a group that is deleted")


def shares_of_signing(vault, main, signing, source):
    """A signing group takes the main group's place, only once it has shares."""
    upgrade = cobo.UpdateKeyShareHolderGroupByIdRequest(
        update_key_share_holder_group_action=cobo.UpdateGroupAction.UPGRADETOMAINGROUP
    )
    refused(30032, mpc.update_key_share_holder_group_by_id, vault, signing, upgrade)
    request = shares(vault, "KeyGenFromKeyGroup", signing, source)
    until("KeyGenFromKeyGroup", succeeded(vault, request), [True])
    refused(2006, mpc.update_key_share_holder_group_by_id, vault, main, upgrade)
    made = mpc.update_key_share_holder_group_by_id(vault, signing, upgrade)
    same(made.type.value, "MainGroup", "type")
    groups = mpc.list_key_share_holder_groups(vault).data
    same([one.key_share_holder_group_id for one in groups], [signing], "groups")
    refused(2006, mpc.delete_key_share_holder_group_by_id, vault, signing)


def money(vault):
    """Transfers that cannot be, and that leave the balance as it was."""
    wallet = make_wallet(vault, "Errors")
    address = wallets.create_address(
        wallet, cobo.CreateAddressRequest(chain_id="SETH", count=1)
    )[0].address
    fund(address, 2)

    def balance(token="SETH"):
        found = wallets.list_token_balances_for_wallet(wallet, token_ids=token).data
        return found[0].balance.available if found else "0"

    until("a deposit", lambda: float(balance()) > 1, [True])
    entry = cobo.CreateAddressBookParam(chain_ids=["SETH"], address=PAYEE, label="payee")
    books.create_address_books(cobo.CreateAddressBooksParam(address_books=[entry]))
    refused(
        2040, books.create_address_books, cobo.CreateAddressBooksParam(address_books=[entry])
    )
    before = balance()
    refused(12002, send, wallet, "1", token="DOGE")
    refused(12007, send, wallet, "1000000")
    refused(30010, send, wallet, "0.000000000000000001")
    refused(30014, send, wallet, "1", payee="0x" + "12" * 20)
    refused(2006, send, wallet, "1", payee="nowhere")
    refused(2006, send, wallet, "-1")
    refused(2006, send, wallet, "1e3")
    refused(30018, send, wallet, "1", description="x" * 101)
    same(balance(), before, "balance after what was refused")
    name = str(uuid.uuid4())
    sent = send(wallet, "0.5", request_id=name)
    refused(12009, send, wallet, "0.5", request_id=name)
    look = lambda: transactions.get_transaction_by_id(sent.transaction_id).status.value
    until("a transfer", look, ["Completed"])
    refused(60005, transactions.cancel_transaction_by_id, sent.transaction_id)
    again = lambda id, name: transactions.resend_transaction_by_id(
        id, transaction_resend=cobo.TransactionResend(request_id=name))
    refused(2006, again, sent.transaction_id, str(uuid.uuid4()))
    refused(60004, again, str(uuid.uuid4()), str(uuid.uuid4()))
    refused(2006, transactions.sign_and_broadcast_transaction_by_id, sent.transaction_id)
    refused(60004, transactions.sign_and_broadcast_transaction_by_id, str(uuid.uuid4()))
    replacements(wallet, sent.transaction_id, name)
    step("12002 12007 12009 30010 30014 30018 60005")

    for type, member in [
        ("Raw_Message_Signature", "raw_message"), ("BTC_BIP_137_Signature", "message_bip137"),
    ]:
        source = {"source_type": "Org-Controlled", "wallet_id": wallet, "address": address}
        refused(2002, raw, "POST", "/transactions/message_sign", {
            "request_id": str(uuid.uuid4()), "chain_id": "SETH", "source": source,
            "destination": {"destination_type": type, member: "00"},
        })
    refused(2002, raw, "POST", "/transactions/contract_call", {
        "request_id": str(uuid.uuid4()), "chain_id": "SETH", "source": source,
        "destination": {"destination_type": "SOL_Contract", "instructions": []},
    })
    refused(2002, raw, "POST", "/transactions/estimate_fee", {
        "request_type": "ContractCall", "chain_id": "SETH", "source": source, "fee_type": "UTXO",
    })
    refused(2003, raw, "POST", "/transactions/estimate_fee", {
        "request_type": "ContractCall", "chain_id": "SETH", "source": source,
    })
    try:
        raw("POST", "/webhooks/endpoints", {"url": "x" * 3000, "subscribed_events": []})
    except ApiException as error:
        text = error.data.error_message
        assert "'url'" in text and "subscribed_events" in text, text
    step("2002, whatever its other members; and each field by its name")

    rpc("x_fault", "eth_estimateGas", "http500", 100)
    refused(2000, call, wallet, address)
    refused(2000, estimate_call, wallet, address)
    rpc("x_fault", "eth_estimateGas", "clear")
    fees = estimate_call(wallet, address)
    assert int(fees.recommended.gas_limit) > 21000, fees
    assert float(fees.slow.reserved_fee) < float(fees.fast.reserved_fee), fees
    step("2000, where the chain does not answer")

    poor = make_wallet(vault, "Tokens only")
    address = wallets.create_address(
        poor, cobo.CreateAddressRequest(chain_id="SETH", count=1)
    )[0].address
    give_tokens(address, 100)
    tokens = lambda: wallets.list_token_balances_for_wallet(poor, token_ids="SETH_USDT").data
    until("tokens", lambda: len(tokens()) == 1 and float(tokens()[0].balance.available) > 0, [True])
    refused(30013, send, poor, "1", token="SETH_USDT")
    step("30013")


def replacements(wallet, done, name):
    """Speed-ups and drops that cannot be, and that leave the transfer as it was."""
    gwei = 10**9
    speed_up, drop = transactions.speedup_transaction_by_id, transactions.drop_transaction_by_id
    refused(60007, speed_up, done, rbf(str(uuid.uuid4()), 9 * gwei, 4 * gwei))
    refused(60006, drop, done, rbf(str(uuid.uuid4()), 9 * gwei, 4 * gwei))
    refused(60004, speed_up, str(uuid.uuid4()), rbf(str(uuid.uuid4()), 9 * gwei, 4 * gwei))
    refused(60004, drop, str(uuid.uuid4()), rbf(str(uuid.uuid4()), 9 * gwei, 4 * gwei))
    rpc("evm_setAutomine", False)
    stuck = send(wallet, "0.25").transaction_id
    look = lambda: transactions.get_transaction_by_id(stuck)
    until("a transfer", lambda: look().status.value, ["Broadcasting"])
    before = look().fee.actual_instance.max_fee_amount
    for ask in (speed_up, drop):
        refused(12009, ask, stuck, rbf(name, 9 * gwei, 4 * gwei))
        refused(2006, ask, stuck, rbf(str(uuid.uuid4()), 3 * gwei, 4 * gwei))
        refused(2006, ask, stuck, rbf(str(uuid.uuid4()), 9 * gwei, gwei))
        refused(2006, ask, stuck, rbf(str(uuid.uuid4()), "much", gwei))
        refused(2006, ask, stuck, rbf(str(uuid.uuid4()), 9 * gwei, 4 * gwei, "SETH_USDT"))
        refused(12007, ask, stuck, rbf(str(uuid.uuid4()), 10**6 * gwei, 4 * gwei))
        refused(2003, raw, "POST", f"/transactions/{stuck}/speedup", {"request_id": "x"})
    same(look().fee.actual_instance.max_fee_amount, before, "what is reserved after refusals")
    once, hash = str(uuid.uuid4()), look().transaction_hash
    drop(stuck, rbf(once, 9 * gwei, 4 * gwei))
    refused(12009, drop, stuck, rbf(once, 20 * gwei, 8 * gwei))
    refused(12009, send, wallet, "0.25", request_id=once)
    until("a drop", lambda: look().transaction_hash != hash, [True])
    refused(60007, speed_up, stuck, rbf(str(uuid.uuid4()), 20 * gwei, 8 * gwei))
    rpc("evm_setAutomine", True)
    until("a transfer", lambda: look().status.value, ["Failed", "Completed"])
    step("60006 60007")


def called(wallet, address):
    """Who calls which contract, as calls and their estimates say it."""
    return {
        "source": cobo.ContractCallSource(
            cobo.MpcContractCallSource(
                source_type=cobo.ContractCallSourceType("Org-Controlled"),
                wallet_id=wallet, address=address,
            )
        ),
        "destination": cobo.ContractCallDestination(
            cobo.EvmContractCallDestination(
                destination_type=cobo.ContractCallDestinationType.EVM_CONTRACT,
                address="0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC", value="0.1",
                calldata="0x01020304",
            )
        ),
    }


def call(wallet, address):
    return transactions.create_contract_call_transaction(
        contract_call_params=cobo.ContractCallParams(
            request_id=str(uuid.uuid4()), chain_id="SETH",
            **called(wallet, address),
        )
    )


def estimate_call(wallet, address):
    return transactions.estimate_fee(
        cobo.EstimateFeeParams(
            cobo.EstimateContractCallFeeParams(
                request_type=cobo.EstimateFeeRequestType.CONTRACTCALL, chain_id="SETH",
                **called(wallet, address),
            )
        )
    ).actual_instance


def give_tokens(address, amount):
    contract = wallets.get_token_by_id("SETH_USDT").token_address
    rpc("anvil_dealERC20", address, contract, str(amount * 10**6))


def flood():
    """Whoever tries keys is told to wait; a key that is admitted does not feel it."""
    # By itself the client waits as long as it is told, and asks again.
    configuration = client(0, "77" * 32).configuration
    configuration.retries = False
    ask = cobo.OrganizationsApi(cobo.ApiClient(configuration)).get_org_info

    def once(_):
        try:
            ask()
        except ApiException as error:
            if error.status == 429:
                assert int(error.headers["Retry-After"]) > 0
            return error.data.error_code

    with ThreadPoolExecutor(8) as pool:
        codes = set(pool.map(once, range(600)))
    same(codes, {2010, 2024}, "codes of a flood")
    cobo.OrganizationsApi(api).get_org_info()
    step("2010")


doors()
values()
money(key_shares())
flood()
step("done")
