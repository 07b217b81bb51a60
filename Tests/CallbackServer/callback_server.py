"""A callback server for a key share holder, as a customer writes one from the contract alone
(docs/protocols/callback.md, docs/protocols/events.md): nothing of Quorumkeep is used. Runs in the environment that bin/test
installs for Tests/ChainNodes, which has PyCryptodome.

    callback_server.py keys DIRECTORY
    callback_server.py serve --port N --keys DIRECTORY --node PEM... --most WEI [--behave HOW]

It approves transactions of at most --most base units, every key ceremony and check-up, and nothing
else. What it was asked is written to DIRECTORY/asked.jsonl, one JSON object a line, and what it was told to
DIRECTORY/heard.jsonl.
"""

import argparse
import base64
import json
import pathlib
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from Crypto.Hash import SHA256, keccak
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seal(package, key):
    claims = {
        "package_data": base64.b64encode(json.dumps(package).encode()).decode(),
        "exp": int(time.time()) + 120,
        "iss": "callback-server",
    }
    head = encode(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    signed = head + "." + encode(json.dumps(claims).encode())
    return signed + "." + encode(pkcs1_15.new(key).sign(SHA256.new(signed.encode())))


def unseal(token, keys):
    """The package, and which of the keys has signed it."""
    head, claims, signature = token.split(".")
    if json.loads(decode(head))["alg"] != "RS256":
        raise ValueError("not RS256")
    for number, key in enumerate(keys):
        try:
            hashed = SHA256.new((head + "." + claims).encode())
            pkcs1_15.new(key).verify(hashed, decode(signature))
        except ValueError:
            continue
        said = json.loads(decode(claims))
        if said["exp"] < time.time() or not said["iss"]:
            raise ValueError("expired")
        return json.loads(base64.b64decode(said["package_data"])), number
    raise ValueError("signed by nobody that is known")


def judge(request, most):
    """Why the request is rejected; empty if it is approved."""
    detail = json.loads(request["request_detail"])
    extra = json.loads(request["extra_info"])
    if request["request_type"] in (1, 3, 5):
        return ""
    if request["request_type"] != 2:
        return "unknown request"
    transaction = extra["transaction"]
    if detail["biz_task_id"] != transaction["transaction_id"]:
        return "another transaction"
    raw = bytes.fromhex(transaction["raw_tx_info"]["unsigned_raw_tx"].removeprefix("0x"))
    digest = keccak.new(digest_bits=256, data=raw).hexdigest()
    if detail["msg_hash_list"] != [digest]:
        return "the hash is of something else"
    destination = transaction["destination"]["account_output"]
    if bytes.fromhex(destination["address"].removeprefix("0x")) not in raw:
        return "the destination is not in the transaction"
    if int(destination["amount"]) > most:
        return "too much"
    return ""


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/ping":
            return self.answer(404, b"")
        self.answer(200, json.dumps({"server": "test", "timestamp": int(time.time())}).encode())

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        setup = self.server.setup
        if self.path == "/v2/event":
            return self.hear(form)
        if self.path != "/v2/check":
            return self.answer(404, b"")
        package = {"status": 0, "action": "APPROVE", "error": ""}
        try:
            request, node = unseal(parse_qs(form)["TSS_JWT_MSG"][0], setup.nodes)
            package["request_id"] = request["request_id"]
            why = judge(request, setup.most)
            with open(setup.keys / "asked.jsonl", "a") as log:
                log.write(json.dumps({"node": node, "why": why, "request": request}) + "\n")
            if why:
                package |= {"status": 30, "action": "REJECT", "error": why}
        except (ValueError, KeyError) as fault:
            package |= {"status": 20, "action": "REJECT", "error": str(fault)}
        how = setup.behave
        if how == "redirect":
            self.send_response(307)
            self.send_header("Location", self.path + "/again")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if how == "huge":
            return self.answer(200, b"x" * 10_000_000)
        if how == "slow":
            time.sleep(30)
        self.answer(200, json.dumps(seal(package, setup.key)).encode())

    def hear(self, form):
        try:
            event, node = unseal(parse_qs(form)["TSS_JWT_MSG"][0], self.server.setup.nodes)
        except (ValueError, KeyError):
            return self.answer(400, b"")
        with open(self.server.setup.keys / "heard.jsonl", "a") as log:
            log.write(json.dumps({"node": node, "event": event}) + "\n")
        self.answer(201, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    keys = commands.add_parser("keys")
    keys.add_argument("directory", type=pathlib.Path)
    serve = commands.add_parser("serve")
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--keys", type=pathlib.Path, required=True)
    serve.add_argument("--node", type=pathlib.Path, action="append", required=True)
    serve.add_argument("--most", type=int, default=0)
    serve.add_argument("--behave", choices=["well", "redirect", "huge", "slow"], default="well")
    setup = parser.parse_args()
    if setup.command == "keys":
        setup.directory.mkdir(parents=True, exist_ok=True)
        key = RSA.generate(2048)
        (setup.directory / "private.pem").write_bytes(key.export_key())
        (setup.directory / "public.pem").write_bytes(key.public_key().export_key())
        return
    setup.key = RSA.import_key((setup.keys / "private.pem").read_bytes())
    setup.nodes = [RSA.import_key(path.read_bytes()) for path in setup.node]
    server = ThreadingHTTPServer(("127.0.0.1", setup.port), Server)
    server.setup = setup
    server.serve_forever()


if __name__ == "__main__":
    main()
