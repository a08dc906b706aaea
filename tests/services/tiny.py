"""A service that keeps the contract with the standard library alone: it starts at once, for tests of the engine.

Its first argument says how it behaves: `well`, `exit` (at start), `deaf` (never opens its port), `flood` (prints
without end), `unwell` (500 for every prompt), `canned` (never asks the model).
"""

import json
import os
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOUR = sys.argv[1]


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.reply(200, {"status": "ok"})

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/auth/login":
            self.reply(200, {"access_token": "token", "token_type": "bearer"})
        elif BEHAVIOUR == "unwell":
            self.reply(500, {"detail": "boom"})
        elif BEHAVIOUR == "canned":
            self.reply(200, {"response": "As a language model I have no answer."})
        else:
            self.reply(200, {"response": self.ask(content["prompt"])})

    def ask(self, prompt: str) -> str:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}]}).encode()
        request = urllib.request.Request(
            os.environ["LITELLM_URL"] + "/v1/chat/completions", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(json.load(answer)["choices"][0]["message"]["content"])

    def reply(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if BEHAVIOUR == "exit":
    sys.exit("JWT_SECRET_KEY is not to my liking")
while BEHAVIOUR == "deaf":
    time.sleep(1)
while BEHAVIOUR == "flood":
    sys.stdout.write("again and again " * 100 + "\n")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Service).serve_forever()
