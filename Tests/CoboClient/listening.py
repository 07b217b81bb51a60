"""Webhooks and callbacks: what the platform says by itself."""

import json
import uuid

import cobo_waas2 as cobo
from nacl.signing import SigningKey

from receiver import Receiver
from stack import STACK, Configuration, api, client, refused, run, same, step, transactions, until
from transfers import send


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
    """A key whose server says deny, and then nothing as long as it is away, and then ok."""
    answers = {"now": (200, b"deny")}
    server = Receiver(Configuration.resp_pubkey, lambda _: answers["now"])
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
    answers["now"] = (500, b"ok")
    name = str(uuid.uuid4())
    approved = start(name)
    messages = cobo.DevelopersApi(api)
    found = lambda: messages.list_callback_messages(request_ids=name).data
    until("a question in vain", lambda: [m.status for m in found()], [["Failed"]])
    same(messages.retry_callback_message(found()[0].id).retried, True, "retried")
    answers["now"] = (200, b"ok")
    until(
        "what is approved",
        lambda: transactions.get_transaction_by_id(approved).status.value, ["Completed"],
    )
    same([(m.status, m.result, m.transaction_id) for m in found()],
         [("Approved", "ok", approved)], "callback")
    refused(2006, messages.retry_callback_message, found()[0].id)
    found = messages.list_callback_messages(status="Denied").data
    same([m.transaction_id for m in found], [denied], "denied")
    assert not server.faults, server.faults
    asked = [cobo.Transaction.from_json(body).transaction_id for body in server.bodies]
    same((asked[0], set(asked[1:])), (denied, {approved}), "what was asked about")
    assert len(asked) > 2, asked
    step("a callback that denies, and one that approves")
