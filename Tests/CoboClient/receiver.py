"""An end of webhooks and callbacks, that counts only what the platform's response key signed."""

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nacl.signing import VerifyKey


class Receiver:
    """Serves at `url` until the process ends; `answer` says what is answered to each body."""

    def __init__(self, public_key, answer):
        key = VerifyKey(bytes.fromhex(public_key))
        self.bodies = []
        self.faults = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                try:
                    sent = handler.headers["BIZ-TIMESTAMP"]
                    assert abs(time.time() * 1000 - int(sent)) < 60_000, f"sent at {sent}"
                    content = body + b"|" + sent.encode()
                    digest = hashlib.sha256(hashlib.sha256(content).digest()).digest()
                    key.verify(digest, bytes.fromhex(handler.headers["BIZ-RESP-SIGNATURE"]))
                except Exception as fault:
                    self.faults.append(repr(fault))
                status, text = answer(body)
                self.bodies.append(body)
                handler.send_response(status)
                handler.send_header("Content-Length", str(len(text)))
                handler.end_headers()
                handler.wfile.write(text)

            def log_message(handler, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
