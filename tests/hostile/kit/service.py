"""An honest little service that most hostile submissions build on: it starts at once, with the standard library alone.

It selects models by the rules of week 1, and answers prompts by asking the model. What a submission tries is in its
`attack.py`: what runs at import, and perhaps a class `Service` of its own.
"""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIERS, TASKS = {"free", "premium", "enterprise"}, {"simple", "moderate", "complex"}
MODEL = os.environ.get("OPENAI_BASE_URL") or os.environ.get("LITELLM_URL", "") + "/v1"


def escaped(what: object) -> None:
    """Say that something was reached which is out of bounds; the grader's results must never hold this."""
    print("ESC" + "APED", repr(what)[:200], flush=True)  # noqa: T201 - in two, for results quote sources too


class Server(ThreadingHTTPServer):
    """Takes a crowd of callers."""

    request_queue_size = 128


class Service(BaseHTTPRequestHandler):
    """Answers every request of the contracts."""

    def do_GET(self) -> None:
        self.reply(200, {"status": "ok"})

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if self.path == "/auth/login":
            self.reply(200, {"access_token": "token", "token_type": "bearer"})
        elif self.path == "/api/v1/models/select":
            self.select(content)
        elif prompt := content.get("prompt") or content.get("messages"):
            answer = self.ask(prompt if isinstance(prompt, str) else prompt[-1]["content"])
            self.reply(200, {"response": answer, "content": answer})
        else:
            self.reply(422, {"detail": "no prompt"})

    def select(self, content: dict[str, object]) -> None:
        tier, task, budget = map(content.get, ("tier", "task_complexity", "latency_budget_ms"))
        if tier not in TIERS or task not in TASKS or not isinstance(budget, int) or not 1 <= budget <= 60_000:
            self.reply(422, {"detail": "unknown"})
            return
        profile = "fast" if budget < 1000 else "balanced"
        profile = "quality" if tier == "enterprise" else "cheap" if task == "simple" else profile
        self.reply(200, {"profile": profile, "model": f"model-{profile}", "reason": "by the rules"})

    def ask(self, prompt: str) -> str:
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]}).encode()
        headers = {"content-type": "application/json", "authorization": "Bearer key"}
        request = urllib.request.Request(f"{MODEL}/chat/completions", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(json.load(answer)["choices"][0]["message"]["content"])

    def reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        self.reply_raw(status, json.dumps(content).encode(), headers)

    def reply_raw(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(handler: type[BaseHTTPRequestHandler] = Service) -> None:
    """Serve where the grader says, until the end."""
    Server((os.environ["HOST"], int(os.environ["PORT"])), handler).serve_forever()


if __name__ == "__main__":
    import attack

    serve(getattr(attack, "Service", Service))
