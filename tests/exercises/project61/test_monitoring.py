"""The checks of part 3, on metrics in several dialects, and on those of a service that does one thing wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import choose_encoder

from chaos.contract import Contract
from chaos.history import (
    Answer,
    Began,
    Call,
    Ended,
    File,
    History,
    Log,
    Planted,
    Ready,
    Reply,
    Request,
    Stall,
)
from chaos.recorder import Recorder
from exercises.project61.part3_monitoring import checks, promql
from exercises.project61.part3_monitoring.axes import (
    FAILING,
    HELD,
    INVALID,
    LEAST_SECONDS,
    NOBODY,
    OUTCOMES,
    STRANGERS,
)
from exercises.project61.part3_monitoring.scrape import read
from lab.verdict import Verdict

ROOT = Path(__file__).parents[3]
CONTRACT = Contract.model_validate(
    {
        "start": {"main": "main.py", "service": "api", "example": "x"},
        "endpoints": {"alive": "/health", "metrics": "/metrics"},
        "upstreams": {"backend": {"kind": "model"}},
        "login": {"path": "/login", "body": {}, "token": "access_token"},
        "ask": {"path": "/v1/chat/completions", "body": {}, "models": ["one", "two"]},
    }
)
STATUSES = {NOBODY: 401, INVALID: 400, FAILING: 502}
KEY = "sk-0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
SECRET = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"


class Metrics:
    """A service's metrics, in the names of this repository's own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self.counter("http_requests", "Answers.", ["route", "status"])
        buckets = (0.01, 0.1, 0.5, 1, 2.5, 5)
        self.seconds = Histogram(
            "http_duration_seconds", "Time.", ["route"], buckets=buckets, registry=self.registry
        )
        self.tokens = self.counter("llm_tokens", "Tokens.", ["model", "kind"])
        self.cost = self.counter("llm_cost_usd", "Dollars.", ["model"])
        self.in_flight = Gauge("in_flight", "Requests.", registry=self.registry)
        self.breaker = Gauge("breaker_state", "State.", registry=self.registry)

    def counter(self, name: str, help_: str, labels: list[str]) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def count(self, status: int, seconds: float) -> None:
        """Count one request as it ends."""
        self.requests.labels("/v1/chat/completions", str(status)).inc()
        self.seconds.labels("/v1/chat/completions").observe(seconds)

    def use(self, model: str, prompt: int, completion: int) -> None:
        self.tokens.labels(model, "prompt").inc(prompt)
        self.tokens.labels(model, "completion").inc(completion)
        self.cost.labels(model).inc(0.0004)

    def hang(self, requests: int) -> None:
        self.in_flight.inc(requests)

    def end(self, requests: int) -> None:
        self.in_flight.dec(requests)

    def see_stranger(self, kind: str, name: str) -> None:
        self.requests.labels("unmatched", "404").inc()

    def open_breaker(self) -> None:
        self.breaker.set(2)

    @property
    def text(self) -> str:
        return generate_latest(self.registry).decode()


class Told:
    """The history of the experiment `traffic`, as a service with these metrics would have had it told."""

    def __init__(self, metrics: Metrics, *, lines: Callable[[str], str] | None = None) -> None:
        self.now = 0.0
        self.metrics = metrics
        self._lines = lines or (
            lambda request_id: json.dumps({"message": "request", "request_id": request_id})
        )
        self._recorder = Recorder(clock=lambda: self.now)
        self._numbers = iter(range(1, 10_000))
        self.add(Began(experiment="traffic", seed=7, contract=CONTRACT))
        self.add(Planted(name="JWT_SECRET_KEY", value=SECRET))
        self.log("starting ...")
        self.add(Ready())

    def add(self, event: Any) -> Any:
        self.now += 0.01
        return self._recorder.record(event)

    def log(self, text: str) -> None:
        self.add(Log(stream="stdout", text=text))

    def exchange(
        self, label: str, *, status: int = 200, body: str = "", seconds: float = 0.02, key: str | None = None
    ) -> None:
        number = next(self._numbers)
        self.add(Request(request=number, label=label, method="POST", path="/v1/chat/completions", key=key))
        request_id = f"id-{number}"
        if "scrape" not in label:
            self.log(self._lines(request_id))
        self.now += seconds
        headers = {"x-request-id": request_id}
        self.add(Answer(request=number, status=status, headers=headers, body=body, elapsed=seconds))

    def scrape(self, name: str) -> None:
        self.exchange(f"scrape: {name}", body=self.metrics.text)

    def work(self) -> None:
        for name, count in OUTCOMES.values.items():
            for place in range(count):
                status, seconds = STATUSES.get(name, 200), LEAST_SECONDS.get(name, 0.02) + 0.01
                key = f"{name}-{place}"
                if name not in {NOBODY, INVALID}:
                    self.call(key, "one" if place % 2 else "two", count=status == 200)
                self.metrics.count(status, seconds if name != HELD else self.held_seconds(seconds))
                self.exchange(f"work: {name}", status=status, seconds=seconds, key=key)

    def held_seconds(self, seconds: float) -> float:
        return seconds

    def call(self, key: str, model: str, *, count: bool) -> None:
        number = next(self._numbers)
        path = "/v1/chat/completions"
        self.add(
            Call(
                call=number, upstream="backend", method="POST", path=path, connection=1, key=key, model=model
            )
        )
        self.add(Reply(call=number, outcome="answered", usage=(101, 13)))
        if count:
            self.metrics.use(model, 101, 13)

    def whole(self) -> History:
        self.exchange("login", body=json.dumps({"access_token": TOKEN}))
        for name in ("first", "openmetrics", "before"):
            self.scrape(name)
        self.work()
        self.scrape("after")
        self.metrics.hang(7)
        self.scrape("in flight")
        self.metrics.end(7)
        self.scrape("left")
        self.exchange("key", body=json.dumps({"key": KEY}))
        self.exchange("by token")
        self.exchange("by API key")
        for kind in STRANGERS.values:
            self.metrics.see_stranger(kind, "warm")
        self.scrape("before strangers")
        for kind, count in STRANGERS.values.items():
            for place in range(count):
                self.metrics.see_stranger(kind, f"{kind}-{place}")
        self.scrape("after strangers")
        self.scrape("closed")
        self.metrics.open_breaker()
        self.metrics.count(503, 0.01)
        self.exchange("no backend", status=503)
        self.scrape("open")
        self.add(Ended())
        return self._recorder.history()


def told(metrics: type[Metrics] = Metrics, **options: Any) -> History:
    return Told(metrics(), **options).whole()


ON_METRICS = [
    checks.metrics_parse,
    checks.requests_are_counted,
    checks.latency_is_measured,
    checks.tokens_and_cost_are_counted,
    checks.labels_are_bounded,
    checks.logs_have_ids,
]
Check = Callable[[History], Verdict]


@pytest.mark.parametrize("check", ON_METRICS, ids=lambda check: check.__name__)
def test_right_metrics_pass(check: Check) -> None:
    verdict = check(told())

    assert verdict.passed, verdict


class InClasses(Metrics):
    """Statuses in classes, tokens in metrics of their own, in flight by route, as instrumentators have them."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = self.counter("prompt_tokens", "Tokens.", ["model"])
        self.completion = self.counter("completion_tokens", "Tokens.", ["model"])
        self.by_route = Gauge("inprogress", "Requests.", ["method", "route"], registry=self.registry)
        self.states = Gauge("circuit", "State.", ["state"], registry=self.registry)

    def count(self, status: int, seconds: float) -> None:
        super().count(status, seconds)
        self.requests.labels("/v1/chat/completions", f"{status // 100}xx").inc()
        self.requests.remove("/v1/chat/completions", str(status))

    def use(self, model: str, prompt: int, completion: int) -> None:
        self.prompt.labels(f"openai/{model}").inc(prompt)
        self.completion.labels(f"openai/{model}").inc(completion)
        self.cost.labels(model).inc(0.1)

    def hang(self, requests: int) -> None:
        for place in range(requests):
            self.by_route.labels("POST", f"/{place % 2}").inc()

    def end(self, requests: int) -> None:
        for place in range(requests):
            self.by_route.labels("POST", f"/{place % 2}").dec()

    def open_breaker(self) -> None:
        self.states.labels("open").set(1)


class OneHistogram(Metrics):
    """A histogram with the status counts requests as well, as express-prom-bundle has it; errors have a counter."""

    def __init__(self) -> None:
        super().__init__()
        buckets = (0.003, 0.03, 0.1, 0.3, 1.5, 10)
        self.bundle = Histogram(
            "request_duration_seconds", "Time.", ["code"], buckets=buckets, registry=self.registry
        )
        self.errors = self.counter("errors", "Errors.", ["type"])

    def count(self, status: int, seconds: float) -> None:
        self.bundle.labels("any").observe(seconds)
        if status >= 500:
            self.errors.labels("backend").inc()


@pytest.mark.parametrize("metrics", [InClasses, OneHistogram])
@pytest.mark.parametrize("check", ON_METRICS, ids=lambda check: check.__name__)
def test_metrics_in_another_dialect_pass(metrics: type[Metrics], check: Check) -> None:
    verdict = check(told(metrics))

    assert verdict.passed, verdict


class CountsSuccesses(Metrics):
    def count(self, status: int, seconds: float) -> None:
        if status < 400:
            super().count(status, seconds)


class CountsTwice(Metrics):
    def count(self, status: int, seconds: float) -> None:
        super().count(status, seconds)
        super().count(status, seconds)


class TellsNoFailures(Metrics):
    def count(self, status: int, seconds: float) -> None:
        super().count(200, seconds)


class TellsTheServersFailures(Metrics):
    def __init__(self) -> None:
        super().__init__()
        self.plain = self.counter("answers", "Answers.", ["route"])
        self.errors = self.counter("answers_failed", "Answers of 5xx.", ["route"])

    def count(self, status: int, seconds: float) -> None:
        super().count(200, seconds)
        self.plain.labels("/").inc()
        if status >= 500:
            self.errors.labels("/").inc()


class Milliseconds(Metrics):
    def count(self, status: int, seconds: float) -> None:
        super().count(status, seconds * 1000)


class AddsTokensUp(Metrics):
    def use(self, model: str, prompt: int, completion: int) -> None:
        super().use(model, prompt + completion, 0)


class WithoutCost(Metrics):
    def use(self, model: str, prompt: int, completion: int) -> None:
        self.tokens.labels(model, "prompt").inc(prompt)
        self.tokens.labels(model, "completion").inc(completion)


class TokensOfNoModel(Metrics):
    def use(self, model: str, prompt: int, completion: int) -> None:
        super().use("all", prompt, completion)


class KeepsWhoLeaves(Metrics):
    def end(self, requests: int) -> None:
        super().end(requests - 3)


class NothingInFlight(Metrics):
    def hang(self, requests: int) -> None:
        pass

    end = hang


class SilentBreaker(Metrics):
    def open_breaker(self) -> None:
        pass


class NamesStrangers(Metrics):
    def see_stranger(self, kind: str, name: str) -> None:
        self.requests.labels(name, "404").inc()


WRONG: list[tuple[type[Metrics], Check, str]] = [
    (CountsSuccesses, checks.requests_are_counted, "http_requests_total by 14"),
    (CountsTwice, checks.requests_are_counted, "by 46"),
    (TellsNoFailures, checks.requests_are_counted, "others do not"),
    (Milliseconds, checks.latency_is_measured, "may have"),
    (AddsTokensUp, checks.tokens_and_cost_are_counted, "grew by"),
    (TokensOfNoModel, checks.tokens_and_cost_are_counted, "none has the model"),
    (WithoutCost, checks.tokens_and_cost_are_counted, "none did"),
    (KeepsWhoLeaves, checks.tokens_and_cost_are_counted, "in_flight is 3"),
    (NothingInFlight, checks.tokens_and_cost_are_counted, "rose: none"),
    (SilentBreaker, checks.tokens_and_cost_are_counted, "the same"),
    (NamesStrangers, checks.labels_are_bounded, "460 new ones"),
]


@pytest.mark.parametrize(("metrics", "check", "actual"), WRONG, ids=lambda one: getattr(one, "__name__", ""))
def test_wrong_metrics_fail_with_their_reason(metrics: type[Metrics], check: Check, actual: str) -> None:
    verdict = check(told(metrics))

    assert verdict.status == "failed"
    assert actual in verdict.actual


def test_metrics_too_long_to_read_after_strangers_fail_one_criterion() -> None:
    whole = told()
    start = next(one.t for one in whole.of(Request) if one.label == "scrape: after strangers")
    history = History(
        event.model_copy(update={"cut": True}) if isinstance(event, Answer) and event.t > start else event
        for event in whole.events
    )

    assert "256 KiB" in checks.labels_are_bounded(history).actual
    assert checks.tokens_and_cost_are_counted(history).passed


class ToTheFirstByte(Told):
    def held_seconds(self, seconds: float) -> float:
        return 0.01


def test_a_latency_to_the_first_byte_of_streams_fails() -> None:
    verdict = checks.latency_is_measured(ToTheFirstByte(Metrics()).whole())

    assert "2 observations above 0.1 s, where 4 requests took longer" in verdict.actual


def test_a_lab_that_stood_still_does_not_fail_a_latency() -> None:
    class Late(Metrics):
        def count(self, status: int, seconds: float) -> None:
            super().count(status, seconds + 0.8)

    history = told(Late)
    [first, *_] = [one for one in history.of(Request) if one.label.startswith("work: ")]
    stall = Stall(t=first.t + 1.0, seconds=0.9)

    assert checks.latency_is_measured(history).status == "failed"
    assert checks.latency_is_measured(History([*history.events, stall])).passed


def scraped(body: str, status: int = 200) -> History:
    story = Told(Metrics())
    story.exchange("scrape: first", status=status, body=body)
    return story._recorder.history()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<html>", "no metrics"),
        ("", "no metrics"),
        ("# HELP a A.\n# TYPE a gauge\na 1\na 2\n", "twice"),
        ("# HELP a A.\na 1\n", "no type for a"),
        ("# TYPE a gauge\na 1\n", "no help for a"),
    ],
)
def test_what_is_not_prometheus_format_fails(body: str, reason: str) -> None:
    assert reason in checks.metrics_parse(scraped(body)).actual


def test_a_status_of_metrics_is_told() -> None:
    assert "401" in checks.metrics_parse(scraped("", 401)).actual


@pytest.mark.parametrize(
    ("lines", "actual"),
    [
        (lambda request_id: f"INFO {request_id}", "lines are none"),
        (lambda _: json.dumps({"message": "request"}), "no line has id-"),
        (lambda request_id: json.dumps({"id": request_id, "key": KEY}), "a key stands"),
        (lambda request_id: json.dumps({"id": request_id, "token": TOKEN}), "an access_token stands"),
        (lambda request_id: json.dumps({"id": request_id, "env": SECRET}), "JWT_SECRET_KEY stands"),
    ],
)
def test_wrong_log_lines_fail(lines: Callable[[str], str], actual: str) -> None:
    assert actual in checks.logs_have_ids(told(lines=lines)).actual


def test_openmetrics_are_read_and_declare_the_same_names() -> None:
    metrics = Metrics()
    encode, content_type = choose_encoder("application/openmetrics-text; version=1.0.0")
    headers, body = {"content-type": content_type}, encode(metrics.registry).decode()

    found = read(Answer(request=1, status=200, headers=headers, body=body, elapsed=0.1))
    text = read(Answer(request=1, status=200, headers={}, body=metrics.text, elapsed=0.1))

    names = {"http_requests_total", "http_duration_seconds_bucket", "llm_tokens_total", "in_flight"}
    assert names <= found.names & text.names
    assert "http_requests" not in found.names | text.names


# Dashboards and alerts


def own_files() -> dict[str, str]:
    folder = ROOT / "deploy" / "monitoring"
    files = [*folder.glob("**/*.json"), *folder.glob("**/*.yml")]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in files}


DASHBOARD = "deploy/monitoring/grafana/dashboards/llm-api.json"
ALERTS = "deploy/monitoring/alerts.yml"


def own_metrics() -> str:
    from api.services import metrics  # noqa: PLC0415  it registers what this repository exposes

    assert metrics.HTTP_IN_FLIGHT
    return generate_latest().decode()


def with_files(files: dict[str, str], *, metrics: str | None = None) -> History:
    story = Told(Metrics())
    for path, text in files.items():
        story.add(File(path=path, text=text))
    story.exchange("scrape: first", body=own_metrics() if metrics is None else metrics)
    return story._recorder.history()


def changed(path: str, old: str, new: str) -> dict[str, str]:
    files = own_files()
    assert old in files[path]
    return {**files, path: files[path].replace(old, new)}


def test_what_this_repository_monitors_passes() -> None:
    history = with_files(own_files())

    for check in (checks.dashboards_and_alerts_rest_on_metrics, checks.alerts_have_an_objective):
        verdict = check(history)
        assert verdict.passed, verdict


def test_a_metric_that_is_not_there_fails() -> None:
    files = changed(DASHBOARD, "llm_retries_total", "llm_repeats_total")

    assert (
        "llm_repeats_total (panel" in checks.dashboards_and_alerts_rest_on_metrics(with_files(files)).actual
    )


def test_a_counter_without_its_ending_fails() -> None:
    files = changed(DASHBOARD, "llm_retries_total", "llm_retries")

    assert "llm_retries" in checks.dashboards_and_alerts_rest_on_metrics(with_files(files)).actual


def test_metrics_of_others_and_of_recording_rules_pass() -> None:
    rule = "groups:\n- name: own\n  rules:\n  - record: job:errors:ratio\n    expr: http_requests_total\n"
    files = changed(DASHBOARD, "sum(rate(llm_retries_total[5m]))", "job:errors:ratio / redis_up * $scale")

    verdict = checks.dashboards_and_alerts_rest_on_metrics(with_files({**files, "rules.yml": rule}))

    assert verdict.passed, verdict


@pytest.mark.parametrize("text", ["up", "redis_up / redis_connected_clients"])
def test_a_dashboard_of_others_alone_fails(text: str) -> None:
    files = {**own_files(), DASHBOARD: json.dumps({"panels": [{"targets": [{"expr": text}]}]})}

    verdict = checks.dashboards_and_alerts_rest_on_metrics(with_files(files))

    assert verdict.actual == "no dashboard has a metric of the service, but only of others"


def test_an_expression_that_does_not_parse_fails_with_its_place() -> None:
    verdict = checks.dashboards_and_alerts_rest_on_metrics(
        with_files(changed(ALERTS, "max_over_time(llm", "max_over_time((llm"))
    )

    assert "CircuitBreakerIsOpen" in verdict.actual


@pytest.mark.parametrize("missing", [".json", "alerts.yml"])
def test_a_repository_without_dashboards_or_alerts_fails(missing: str) -> None:
    files = {path: text for path, text in own_files().items() if not path.endswith(missing)}

    assert "no" in checks.dashboards_and_alerts_rest_on_metrics(with_files(files)).actual


SHOWN: dict[str, Any] = {"targets": [{"expr": "http_requests_total"}]}
VERSION_2 = {
    "kind": "Panel",
    "spec": {
        "data": {
            "kind": "QueryGroup",
            "spec": {
                "queries": [
                    {
                        "kind": "PanelQuery",
                        "spec": {"query": {"group": "prometheus", "spec": {"expr": "http_requests_total"}}},
                    }
                ]
            },
        }
    },
}


@pytest.mark.parametrize(
    "dashboard",
    [
        {"panels": [{"type": "row", "panels": [SHOWN]}]},
        {"rows": [{"panels": [SHOWN]}]},
        {"dashboard": {"panels": [SHOWN]}},
        {"kind": 1, "model": SHOWN},
        {"panels": [{"libraryPanel": {}}], "__elements": {"a": {"model": SHOWN}}},
        {"kind": "Dashboard", "spec": {"elements": {"a": VERSION_2}}},
    ],
)
def test_dashboards_of_every_schema_are_read(dashboard: dict[str, Any]) -> None:
    text = json.dumps(dashboard)

    assert shown({DASHBOARD: text}).passed
    assert "nope_total" in shown({DASHBOARD: text.replace("http_requests_total", "nope_total")}).actual


@pytest.mark.parametrize(
    "text",
    [
        "kind: ConfigMap\ndata:\n  api.json: '{}'\n",
        "kind: GrafanaDashboard\nspec:\n  json: '{}'\n",
    ],
)
def test_dashboards_within_other_objects_are_read(text: str) -> None:
    files = {"k8s/dashboard.yaml": text.format(json.dumps({"panels": [SHOWN]}))}

    assert shown(files).passed


def shown(files: dict[str, str]) -> Verdict:
    return checks.dashboards_and_alerts_rest_on_metrics(with_files({ALERTS: own_files()[ALERTS], **files}))


@pytest.mark.parametrize("source", ["Loki", "${DS_LOKI}", {"uid": "loki"}, {"type": "loki", "uid": "a"}])
def test_queries_to_other_sources_are_ignored(source: object) -> None:
    panels = [SHOWN, {"datasource": source, "targets": [{"expr": '{app="api"} |= "error"'}]}]
    files = {**own_files(), DASHBOARD: json.dumps({"panels": panels})}

    verdict = checks.dashboards_and_alerts_rest_on_metrics(with_files(files))

    assert verdict.passed, verdict


@pytest.mark.parametrize(("converts", "status"), [(True, "passed"), (False, "failed")])
def test_a_histogram_has_series_of_its_bare_name_if_prometheus_converts_it(
    converts: bool,  # noqa: FBT001
    status: str,
) -> None:
    files = changed(DASHBOARD, "http_request_duration_seconds_bucket", "http_request_duration_seconds")
    line = f"    convert_classic_histograms_to_nhcb: {str(converts).lower()}\n"
    files["deploy/monitoring/prometheus.yml"] += line

    assert checks.dashboards_and_alerts_rest_on_metrics(with_files(files)).status == status


ALERT = """
groups:
- name: objectives
  rules:
  - {record: 'errors:ratio', expr: 'sum(rate(a_total{code=~"5.."}[5m])) / sum(rate(a_total[5m]))'}
  - {alert: Errors, expr: 'errors:ratio > 0.05', for: 5m, labels: {severity: page}}
  - {alert: Slow, expr: 'histogram_quantile(0.9, rate(b_bucket[5m])) > 3', for: 5m, labels: {severity: page}}
"""


def query(name: str, text: str) -> dict[str, Any]:
    return {"refId": name, "datasourceUid": "prometheus", "model": {"expr": text}}


QUERY_ALL = query("A", "sum(rate(a_total[5m]))")
QUERY_ERRORS = query("B", 'sum(rate(a_total{code="500"}[5m]))')
QUERY_SLOW = query("A", "histogram_quantile(0.9, rate(b_bucket[5m]))")
SHARE = {"refId": "C", "datasourceUid": "__expr__", "model": {"type": "math", "expression": "${B} / $A"}}


def objective(text: str) -> Verdict:
    return checks.alerts_have_an_objective(with_files({"prometheus/rules.yml": text}))


def test_alerts_on_recorded_shares_pass() -> None:
    verdict = objective(ALERT)

    assert verdict.passed
    assert verdict.actual == "Errors and Slow"


def test_a_rule_that_does_not_parse_costs_no_objective_of_others() -> None:
    verdict = objective(ALERT + "  - {alert: Down, expr: 'up == 0)', for: 5m, labels: {severity: page}}\n")

    assert verdict.passed, verdict


def test_rules_of_the_operator_pass() -> None:
    indented = ALERT.replace("\n", "\n  ")

    assert objective(f"kind: PrometheusRule\nspec:{indented}").passed


@pytest.mark.parametrize(
    "head",
    [
        "kind: List\nitems:\n- kind: PrometheusRule\n  spec:",
        "kind: ConfigMap\ndata:\n  alerts.yml: |",
        "kind: ConfigMap\ndata:\n  loki.json: '{}'\n  alerts.rules: |",
    ],
)
def test_rules_within_other_objects_pass(head: str) -> None:
    verdict = objective(head + ALERT.replace("\n", "\n    "))

    assert verdict.passed, verdict


def test_rules_that_grafana_manages_pass() -> None:
    rules = [
        {
            "title": "Errors",
            "for": "5m",
            "labels": {"severity": "page"},
            "data": [QUERY_ALL, QUERY_ERRORS, SHARE],
        },
        {"title": "Slow", "for": "5m", "labels": {"severity": "page"}, "data": [QUERY_SLOW]},
    ]
    verdict = objective(json.dumps({"apiVersion": 1, "groups": [{"name": "api", "rules": rules}]}))

    assert verdict.passed, verdict
    assert verdict.actual == "Errors and Slow"


def test_a_template_in_a_text_of_an_alert_is_no_template_of_helms() -> None:
    rule = "  - {alert: Down, expr: 'up == 0', annotations: {summary: '{{- $value }}'}}\n"

    assert objective(ALERT + rule).passed


def test_a_share_of_a_bucket_is_a_latency() -> None:
    text = ALERT.replace(
        "histogram_quantile(0.9, rate(b_bucket[5m]))", 'rate(b_bucket{le="1"}[5m]) / rate(b_count[5m])'
    )

    assert objective(text).passed


@pytest.mark.parametrize(
    "share",
    [
        'sum(rate(a_total{code=~"5.."}[5m])) > 0.05 * sum(rate(a_total[5m]))',
        'sum(rate(a_total{code=~"5.."}[5m])) >= (sum(rate(a_total[5m])) / 20)',
        "sum(rate(a_total[5m])) * 0.05 < bool sum(rate(errors_total[5m]))",
    ],
)
def test_errors_may_be_compared_with_a_share_of_the_requests(share: str) -> None:
    assert objective(ALERT.replace("errors:ratio > 0.05", share)).passed


@pytest.mark.parametrize(
    "count",
    [
        'sum(rate(a_total{code=~"5.."}[5m])) * 60 > 3',
        'sum(rate(a_total{code=~"5.."}[5m])) > sum(rate(a_total{code="200"}[5m]))',
    ],
)
def test_a_number_of_errors_is_no_share(count: str) -> None:
    assert "none on the share of errors" in objective(ALERT.replace("errors:ratio > 0.05", count)).actual


@pytest.mark.parametrize(
    "buckets",
    [
        "sum by (le, route) (rate(b_bucket[5m]))",
        "sum without (route) (rate(b_bucket[5m]))",
        "sum(rate(b[5m]))",
    ],
)
def test_quantiles_of_summed_buckets_are_latencies(buckets: str) -> None:
    assert objective(ALERT.replace("rate(b_bucket[5m])", buckets)).passed


@pytest.mark.parametrize(
    "beside",
    [
        {"annotations": {"list": [{"name": "deploys", "expr": "changes(no_such_metric[1m])"}]}},
        {"templating": {"list": [{"name": "model", "query": "label_values(no_such_metric{a='$b'}, model)"}]}},
        {"templating": {"list": [{"name": "model", "query": {"query": "query_result(no_such_metric)"}}]}},
    ],
)
def test_annotations_and_variables_ask_for_metrics_too(beside: dict[str, Any]) -> None:
    verdict = shown({"grafana/a.json": json.dumps({"panels": [SHOWN], **beside})})

    assert verdict.status == "failed"
    assert "does not have no_such_metric" in verdict.actual


@pytest.mark.parametrize(
    "variable",
    [
        {"query": "label_values(llm_tokens_total, model)"},
        {"query": "label_values(job)"},
        {"query": "label_values($metric, model)"},
        {"query": "label_values({app='a'}, pod)", "datasource": {"type": "loki"}},
        {"query": "a, b"},
        {"query": "metrics(http_.*)"},
    ],
)
def test_variables_of_dashboards_may_ask_otherwise(variable: dict[str, Any]) -> None:
    assert shown(
        {"grafana/a.json": json.dumps({"panels": [SHOWN], "templating": {"list": [variable]}})}
    ).passed


@pytest.mark.parametrize(
    ("old", "new", "actual"),
    [
        ("for: 5m, ", "for: 0s, ", "no `for` or no severity"),
        ("sum(rate(a_total[5m]))", "60", "none on the share of errors"),
        ("for: 5m, ", "", "no `for` or no severity"),
        ("severity", "importance", "no `for` or no severity"),
        ("errors:ratio > 0.05", "errors:ratio", "Errors has no limit"),
        ("rate(b_bucket[5m])", "sum(rate(b_bucket[5m]))", "none on latency; the quantile of Slow has lost"),
        ("rate(b_bucket[5m])", "sum without (le) (rate(b_bucket[5m]))", "none on latency"),
        ("rate(b_bucket[5m])", "sum by (route) (rate(b_bucket[5m]))", "none on latency"),
        ("errors:ratio > 0.05", "up == 0", "none on the share of errors"),
        ("histogram_quantile(0.9, rate(b_bucket[5m]))", "b_total", "none on latency"),
        ("[5m])) > 3", "[5m]) > 3", "none on latency; rule Slow does not parse"),
        ("groups:", "groups: [", "cannot be read"),
    ],
)
def test_alerts_without_an_objective_fail(old: str, new: str, actual: str) -> None:
    assert actual in objective(ALERT.replace(old, new)).actual


@pytest.mark.parametrize("text", ["(" * 3000 + "1" + ")" * 3000, "1" + "+1" * 3000, "a" * 20_000])
def test_an_expression_that_would_take_the_parser_too_long_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than"):
        promql.read(text)


@pytest.mark.parametrize(
    "text",
    [
        "rate(a_total[$__rate_interval])",
        "quantile($q, a_total)",
        "sum by ($by) (a_total)",
        'a_total{job=~"${job:regex}"}',
        "rate(a_total[${every}:1m])",
        "max_over_time(sum(a_total)[$__range:$__interval])",
        "max_over_time(sum(a_total)[${every:text}:])",
        '{__name__="a_total"}',
        "sum by ($a, ${b:csv}) (a_total)",
        "a_total offset $__interval",
        "a_total > on($x) group_left ${prefix}_total",
        "a_total + $metric{job='x'} + rate(${metric}[5m]) + sum($metric)",
    ],
)
def test_variables_of_grafanas_stand_for_something(text: str) -> None:
    assert promql.read(text).metrics == {"a_total"}


@pytest.mark.parametrize("metrics", [Metrics, TellsTheServersFailures])
def test_a_malformed_answer_may_be_passed_on(metrics: type[Metrics], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUSES, FAILING, 200)
    history = PassesOn(metrics()).whole()
    assert checks.requests_are_counted(history).passed
    assert checks.tokens_and_cost_are_counted(history).passed


def test_a_counter_without_failures_tells_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUSES, FAILING, 200)
    verdict = checks.requests_are_counted(told(TellsNoFailures))
    assert (verdict.status, verdict.actual.endswith("others do not")) == ("failed", True)


class PassesOn(Told):
    """Told by a gateway that hands on a malformed answer, which breaks off before its usage."""

    def call(self, key: str, model: str, *, count: bool) -> None:
        super().call(key, model, count=count and not key.startswith(FAILING))
