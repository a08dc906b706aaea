"""Counts requests in Redis, with the standard library alone."""

import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

STORE = urlsplit(os.environ["STORE_URL"])


def increment() -> int:
    """Count one more; raises OSError where the store cannot be asked."""
    with socket.create_connection((STORE.hostname, STORE.port), timeout=20) as store:
        store.sendall(b"*2\r\n$4\r\nINCR\r\n$5\r\ncount\r\n")
        answer = store.recv(64)
    if not answer.startswith(b":"):
        raise OSError(f"the store answers {answer!r}")
    return int(answer[1:].split(b"\r\n")[0])


class Counter(BaseHTTPRequestHandler):
    """Answers GET / and POST /count."""

    def do_GET(self) -> None:
        self.reply(200, {"status": "ok"})

    def do_POST(self) -> None:
        try:
            self.reply(200, {"count": increment()})
        except OSError:
            self.reply(503, {"error": "the store does not answer"})

    def reply(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Counter).serve_forever()
