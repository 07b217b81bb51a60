#!/usr/bin/env python3
"""Sends the requests of the API's pages to a local stack, and holds the answers to the pages.

    Tests/ApiPages/pages.py [--write] DEV.JSON

A request is a block `http`; the block `json` right after it is its answer. Ids, addresses and
hashes of a page stand for those of the run: the first time that one is seen in an answer it is bound
to what the answer has there, and from then on must be the same. A … stands for members, items or
text left out. What a reader does not need to see stands in comments: `<!-- run: WHAT … -->`, see
`Run.commands`.

With --write the pages are written anew with the ids and answers of this run; a block `json new` is
filled. The stack must be fresh.
"""

import hashlib
import hmac
import http.server
import json
import re
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# In this order they build on each other; pages that are not named come last.
ORDER = "assets vaults wallets address-book transactions webhooks keys audit-and-usage".split()
# Where the pages have webhooks sent to: a receiver of this run, which is out of order.
RECEIVER = "127.0.0.1:7420"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What is another in each run, and names a thing.
NAME = re.compile(
    rf"{UUID}|0x[0-9a-fA-F]{{64}}|0x[0-9a-fA-F]{{40}}|qk_test_[0-9a-f]{{24}}|[0-9a-f]{{96}}"
)
# What is another in each run, and names nothing: a time, a request, a secret.
PASSING = [
    re.compile(pattern)
    for pattern in (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        r"\d{4}-\d\d-\d\d",
        r"req_[0-9a-f]{24}",
        r"qk_test_secret_[0-9a-f]{64}",
        r"[A-Za-z0-9+/]{43}=",
    )
]
# Members that depend on how fast things went.
PASSING_MEMBERS = {"confirmations", "durationMilliseconds", "requests", "endpoint"}
REST = "…"
PATIENCE_SECONDS = 20
WIDTH = 98


class Wrong(Exception):
    pass


class OutOfOrder(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"out of order"
        self.send_response(500)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Block:
    """A fenced block of a page: its kind, its lines, and where they stand."""

    def __init__(self, kind, first, lines):
        self.kind, self.first, self.lines = kind, first, lines

    @property
    def text(self):
        return "\n".join(self.lines)


def steps(text):
    """The requests with their answers, and the hidden commands, in order."""
    lines, at, found = text.split("\n"), 0, []
    while at < len(lines):
        command = re.fullmatch(r"<!-- run: (.*) -->", lines[at])
        if command:
            found.append(("run", command.group(1), None))
        elif lines[at].startswith("```"):
            end = next(n for n in range(at + 1, len(lines)) if lines[n] == "```")
            block = Block(lines[at][3:], at + 1, lines[at + 1 : end])
            last = found[-1] if found else (None, None, None)
            if block.kind == "http":
                found.append(("http", block, None))
            elif block.kind in ("json", "json new") and last[0] == "http" and last[2] is None:
                between = lines[last[1].first + len(last[1].lines) + 1 : at]
                if all(not line for line in between):
                    found[-1] = ("http", last[1], block)
            at = end
        at += 1
    return found


def parsed(text):
    """JSON in which … may stand for what is left out."""
    out, containers, inside, escaped = [], [], False, False
    for at, one in enumerate(text):
        if inside:
            escaped = one == "\\" and not escaped
            inside = not (one == '"' and text[at - 1 : at] != "\\")
        elif one == '"':
            inside = True
        elif one in "{[":
            containers.append(one)
        elif one in "}]":
            containers.pop()
        elif one == REST:
            before = "".join(out).rstrip()[-1:]
            after = text[at + 1 :].lstrip()[:1]
            one = f'"{REST}": 0' if containers[-1] == "{" else f'"{REST}"'
            one = ("" if before in "{[," else ", ") + one + ("" if after in "}]," else ", ")
        out.append(one)
    return json.loads("".join(out))


def written(value, indent=0):
    """JSON as the pages write it: as much on a line as there is room for."""
    plain = json.dumps(value, ensure_ascii=False)
    if indent + len(plain) <= WIDTH or not isinstance(value, (dict, list)):
        return plain
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {written(v, indent + 2)}" for k, v in value.items()]
    else:
        parts = [written(v, indent + 2) for v in value]
    lines, current = [], ""
    for number, part in enumerate(parts):
        part += "," if number + 1 < len(parts) else ""
        if "\n" in part or indent + 2 + len(current) + 1 + len(part) > WIDTH:
            lines += [inner + current] if current else []
            current = part
            if "\n" in part:
                lines.append(inner + current)
                current = ""
        else:
            current += (" " if current else "") + part
    lines += [inner + current] if current else []
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return "\n".join([opening, *lines, " " * indent + closing])


class Run:
    """One run of all pages against one stack."""

    def __init__(self, file):
        with open(file) as opened:
            self.stack = json.load(opened)
        self.data = Path(file).parent
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OutOfOrder)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        self.receiver = f"127.0.0.1:{receiver.server_port}"
        key = self.stack["tenants"][0]["keys"]["hmac"]
        self.key, self.secret = key["keyId"], key["secret"]
        self.bound = {}
        self.commands = {
            # pay ADDRESS WEI: somebody pays coins to an address
            "pay": lambda address, wei: self.rpc("anvil_setBalance", self.here(address), wei),
            # deal ADDRESS CONTRACT UNITS: somebody pays tokens
            "deal": lambda to, of, units: self.rpc("anvil_dealERC20", self.here(to), of, units),
            # await PATH MEMBER VALUE: until a member of what GET answers has a value
            "await": self.wait_for,
            # call NAME METHOD PATH BODY: a request out of sight; NAME is its answer's id
            "call": self.call,
            # child VERB NAME: `quorumkeep dev start` or `stop`
            "child": self.child,
        }

    def here(self, text):
        """A page's text with the names of this run."""
        text = NAME.sub(lambda name: self.bound.get(name.group(), name.group()), text)
        return text.replace(RECEIVER, self.receiver)

    def rpc(self, method, *parameters):
        content = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        self.open(
            urllib.request.Request(
                self.stack["chains"]["evm"]["rpcUrl"],
                data=json.dumps(content).encode(),
                headers={"Content-Type": "application/json"},
            )
        )

    def call(self, name, method, path, *body):
        content = self.here(" ".join(body)).encode()
        status, answer = self.send(method, self.here(path), {}, content)
        if status >= 400:
            raise Wrong(json.dumps(answer))
        self.bound[name] = answer["id"]

    def child(self, verb, name):
        program = ROOT / ".build/release/quorumkeep"
        subprocess.run(
            [program, "dev", verb, name, "--data", self.data], check=True, capture_output=True
        )

    def wait_for(self, path, member, wanted):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            value = self.send("GET", self.here(path), {}, b"")[1]
            for name in member.split("."):
                value = value[int(name)] if isinstance(value, list) else value[name]
            if value == wanted:
                return
            if time.monotonic() > deadline:
                raise Wrong(f"{path}: {member} is {value}, not {wanted}")
            time.sleep(0.1)

    def open(self, request):
        with urllib.request.urlopen(request, timeout=15) as response:
            return response.status, response.read()

    def send(self, method, target, headers, body):
        now, nonce = str(int(time.time())), secrets.token_hex(12)
        lines = [now, method, target, hashlib.sha256(body).hexdigest(), nonce]
        signature = hmac.new(self.secret.encode(), "\n".join(lines).encode(), hashlib.sha256)
        headers = {
            **headers,
            "X-API-Key": self.key,
            "X-Timestamp": now,
            "X-Nonce": nonce,
            "X-Signature": signature.hexdigest(),
        }
        if body:
            headers["Content-Type"] = "application/json"
        base = urllib.parse.urlsplit(self.stack["custody"]["url"])
        request = urllib.request.Request(
            f"{base.scheme}://{base.netloc}{target}",
            data=body or None,
            method=method,
            headers=headers,
        )
        try:
            status, answer = self.open(request)
        except urllib.error.HTTPError as refusal:
            status, answer = refusal.code, refusal.read()
        return status, json.loads(answer) if answer else None

    def step(self, block, said):
        """Sends a page's request; of a GET until the answer is what the page says."""
        head, _, body = block.text.partition("\n\n")
        first, *fields = self.here(head).split("\n")
        method, target = first.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        # What is read is parsed and sent as one line, so that a page may break it.
        content = json.dumps(json.loads(self.here(body))).encode() if body else b""
        wanted = parsed(said.text) if said else None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, answer = self.send(method, target, headers, content)
            bound = dict(self.bound)
            try:
                is_refusal = isinstance(wanted, dict) and "statusCode" in wanted
                if is_refusal != (status >= 400):
                    raise Wrong(f"status {status}: {json.dumps(answer)}")
                if said:
                    is_new = said.kind == "json new"
                    self.compare(wanted, answer, "answer", is_new)
                elif answer is not None and status != 200:
                    raise Wrong(f"the page shows no answer; there is one of status {status}")
                return answer
            except Wrong:
                self.bound = bound
                if method != "GET" or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def compare(self, said, real, place, is_new=False):
        if isinstance(said, dict) and isinstance(real, dict):
            wanted = [name for name in said if name != REST]
            missing = [name for name in wanted if name not in real]
            more = [name for name in real if name not in said] if REST not in said else []
            if missing or (more and not is_new):
                raise Wrong(f"{place}: not there: {missing}, not said: {more}")
            for name in wanted:
                self.compare(said[name], real[name], f"{place}.{name}", is_new)
        elif isinstance(said, list) and isinstance(real, list):
            wanted = [item for item in said if item != REST]
            if len(real) < len(wanted) or (len(real) > len(wanted) and REST not in said):
                raise Wrong(f"{place}: {len(real)} items, not {len(wanted)}: {json.dumps(real)}")
            for number, item in enumerate(wanted):
                self.compare(item, real[number], f"{place}[{number}]", is_new)
        elif place.rsplit(".", 1)[-1] in PASSING_MEMBERS and type(said) is type(real):
            pass
        elif isinstance(said, str) and isinstance(real, str):
            self.compare_texts(said, real, place)
        elif said != real or type(said) is not type(real):
            raise Wrong(f"{place}: {json.dumps(real)}, not {json.dumps(said)}")

    def compare_texts(self, said, real, place):
        if NAME.fullmatch(said) and NAME.fullmatch(real):
            if said not in self.bound and real not in self.bound.values():
                self.bound[said] = real
            if self.bound.get(said, said) != real:
                raise Wrong(f"{place}: {real}, not {self.bound.get(said, said)} ({said})")
        elif any(one.fullmatch(said) and one.fullmatch(real) for one in PASSING):
            pass
        elif said.endswith(REST):
            if not real.startswith(self.here(said[: -len(REST)])):
                raise Wrong(f"{place}: {real}, not {said}")
        elif self.here(said) != real:
            raise Wrong(f"{place}: {real}, not {self.here(said)}")


def place(page):
    return (ORDER.index(page.stem), "") if page.stem in ORDER else (len(ORDER), page.stem)


def write(page, run, answers):
    """Puts this run's answers and names into a page."""
    text = page.read_text()
    lines = text.split("\n")
    for _, _, said in reversed(steps(text)):
        if said and (page, said.first) in answers:
            new = written(answers[page, said.first]).split("\n")
            lines[said.first - 1 : said.first + len(said.lines)] = ["```json", *new]
    page.write_text(run.here("\n".join(lines)).replace(run.receiver, RECEIVER))


def main():
    arguments = sys.argv[1:]
    writes = arguments[0] == "--write"
    run, answers, failures, count = Run(arguments[-1]), {}, 0, 0
    pages = sorted((ROOT / "docs/api").glob("*.md"), key=place)
    for page in pages:
        for kind, what, said in steps(page.read_text()):
            try:
                if kind == "run":
                    name, *rest = what.split(" ")
                    run.commands[name](*rest)
                    continue
                count += 1
                answer = run.step(what, said)
                if said and (said.kind == "json new" or REST not in said.text):
                    answers[page, said.first] = answer
            except (Wrong, OSError, subprocess.CalledProcessError) as wrong:
                failures += 1
                where = f"{what.first}: {what.lines[0]}" if kind == "http" else what
                print(f"{page.name}:{where}: {wrong}")
    if writes:
        for page in pages:
            write(page, run, answers)
    print(f"{count} requests of {len(pages)} pages, {failures} answered otherwise")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
