import unittest
from unittest.mock import patch

from starlette.testclient import TestClient

from src.main import app
from src.services.limits import DailySpend, RequestLimit
from src.services.llm import LLMService
from tests.helpers import Upstream, chunk

PATH = "/api/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Good day"}]}


class ApiTestCase(unittest.TestCase):
    def setUp(self):
        app.state.request_limit = RequestLimit(3, 60)
        app.state.spend = DailySpend(1)
        self.use(Upstream())
        self.client = TestClient(app, raise_server_exceptions=False)

    def use(self, upstream):
        self.upstream = upstream
        app.state.llm = LLMService(upstream.provider(), app.state.spend)

    def post(self, body=BODY, **options):
        return self.client.post(PATH, json=body, **options)


class TestCompletion(ApiTestCase):
    def test_end_to_end(self):
        body = {**BODY, "model": "gpt-4o", "temperature": 0, "max_tokens": 3000}
        response = self.post(body)
        self.assertEqual(response.status_code, 200)
        answer = response.json()
        self.assertGreaterEqual(answer.pop("latency_ms"), 0)
        self.assertAlmostEqual(answer.pop("cost"), 0.00225)
        self.assertEqual(
            answer,
            {
                "content": "Good morning!",
                "model": "gpt-4o",
                "usage": {"input_tokens": 100, "output_tokens": 200, "total_tokens": 300},
                "price_known": True,
            },
        )
        self.assertEqual(self.upstream.bodies, [body])

    def test_defaults(self):
        self.post()
        sent = self.upstream.bodies[0]
        self.assertEqual(sent, {**BODY, "model": "gpt-4o-mini", "temperature": 0.7, "max_tokens": 1024})

    def test_stream(self):
        response = self.post({**BODY, "stream": True})
        self.assertTrue(response.headers["content-type"].startswith("text/event-stream"))
        self.assertEqual(
            response.text,
            'data: {"delta": "Good "}\n\ndata: {"delta": "morning!"}\n\ndata: [DONE]\n\n',
        )

    def test_stream_that_breaks_off(self):
        self.upstream.events = chunk("Good ")
        response = self.post({**BODY, "stream": True})
        self.assertIn('"error"', response.text)
        self.assertNotIn("[DONE]", response.text)


class TestRefusals(ApiTestCase):
    def test_validation(self):
        response = self.post({"messages": [{"role": "robot", "content": "x"}], "temperature": 9})
        self.assertEqual(response.status_code, 422)
        fields = [error["field"] for error in response.json()["errors"]]
        self.assertEqual(fields, ["messages.0.role", "temperature"])
        self.assertEqual(self.upstream.bodies, [])

    def test_max_tokens_per_request(self):
        response = self.post({**BODY, "max_tokens": 3001})
        self.assertEqual(response.status_code, 422)
        self.assertIn("max_tokens", response.json()["message"])

    def test_body(self):
        json_type = {"content-type": "application/json"}
        for content, headers, status in (
            (b"{", json_type, 400),
            (b"hello", {"content-type": "text/plain"}, 415),
            (b"x" * (16 * 1024 * 1024 + 1), json_type, 413),
        ):
            response = self.client.post(PATH, content=content, headers=headers)
            self.assertEqual(response.status_code, status)
            self.assertIn("message", response.json())

    def test_routes(self):
        self.assertEqual(self.client.get("/nothing").status_code, 404)
        self.assertEqual(self.client.get(PATH).status_code, 405)
        self.assertIn("message", self.client.get(PATH).json())

    def test_provider_errors(self):
        self.use(Upstream(401))
        response = self.post()
        self.assertEqual(response.status_code, 500)
        self.assertNotIn("sk-for-tests", response.text)

    def test_crash(self):
        with patch.object(app.state.llm, "chat", side_effect=RuntimeError("oops")):
            response = self.post(headers={"X-Request-ID": "crash-1"})
        self.assertEqual(response.status_code, 500)
        self.assertEqual(response.headers["x-request-id"], "crash-1")
        self.assertNotIn("oops", response.text)


class TestLimits(ApiTestCase):
    def test_requests(self):
        self.assertEqual([self.post().status_code for _ in range(4)], [200, 200, 200, 429])
        refused = self.post()
        self.assertGreater(int(refused.headers["retry-after"]), 50)
        self.assertEqual(len(self.upstream.bodies), 3)
        self.assertEqual(self.client.get("/health").status_code, 200)

    def test_address_is_that_of_the_connection(self):
        for number in range(3):
            self.post(headers={"X-Forwarded-For": f"10.0.0.{number}"})
        self.assertEqual(self.post().status_code, 429)

    def test_what_uvicorn_makes_of_a_header(self):
        for number in range(4):
            address = f"10.0.0.{number}"
            client = TestClient(app, client=(address, 0))
            response = client.post(PATH, json=BODY, headers={"X-Forwarded-For": address})
        self.assertEqual(response.status_code, 429)

    def test_money(self):
        app.state.spend = app.state.llm.spend = DailySpend(0.0002)
        statuses = [self.post().status_code for _ in range(3)]
        self.assertEqual(statuses, [200, 200, 429])
        self.assertEqual(len(self.upstream.bodies), 2)


def test_request_ids():
    client = TestClient(app)
    kept = client.get("/health", headers={"X-Request-ID": "monday-1"})
    assert kept.headers["x-request-id"] == "monday-1"
    for odd in ("", "a b", "x" * 129, "a;b"):
        made = {client.get("/x", headers={"X-Request-ID": odd}).headers["x-request-id"] for _ in "12"}
        assert len(made) == 2 and odd not in made


def test_health():
    for status, provider in ((200, "up"), (404, "up"), (500, "down")):
        app.state.llm = LLMService(Upstream(models=status).provider(), DailySpend(1))
        assert TestClient(app).get("/health").json()["provider"] == provider
