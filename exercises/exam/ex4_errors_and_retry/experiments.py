"""The experiments of exercise 4: failures that pass, failures that stay, and those that are nobody's to retry."""

from chaos.llm import Answer, EmptyObject, MalformedJson, RateLimited, Reset, Status, WrongContentType
from exercises.exam.ex4_errors_and_retry.planted import INTERNALS, LONG_RETRY_AFTER, RETRY_AFTER
from exercises.exam.hanging import hang
from exercises.exam.promises import PATIENCE_SECONDS
from lab.experiment import Experiment, experiment
from lab.lab import Lab

__all__ = ["backoff_500", "backoff_503", "hang", "mlflow_down", "refusals", "transient"]

FILE_SECONDS = 12.0
DELIVERY_SECONDS = 10.0
BASELINE_REQUESTS = 3
MLFLOW_PATIENCE = 10.0


@experiment(seconds=10)
async def transient(lab: Lab) -> None:
    """The model fails once or twice and then answers, with healthy requests between the failures."""
    lab.phase("fault")
    for label, failures in (
        ("reset-once", [Reset()]),
        ("500-once", [Status(500)]),
        ("503-twice", [Status(503), Status(503)]),
    ):
        key = lab.key()
        lab.llm.script(key, *failures, Answer())
        await lab.generate(key, label=label, timeout=PATIENCE_SECONDS)
        await _healthy(lab)


def _backoff(status: int) -> Experiment:
    async def run(lab: Lab) -> None:
        lab.phase("fault")
        key = lab.key()
        failure = Status(status, message=INTERNALS)
        lab.llm.script(key, failure, failure, failure, Answer())
        await lab.generate(key, label="three-failures", timeout=PATIENCE_SECONDS)
        await _healthy(lab)
        key = lab.key()
        lab.llm.script(key, failure)
        await lab.generate(key, label="lasting-failure", timeout=PATIENCE_SECONDS)

    run.__doc__ = f"The model answers {status} three times before it answers, then for good."
    return Experiment(f"backoff_{status}", run, seconds=15)


backoff_500 = _backoff(500)
backoff_503 = _backoff(503)


@experiment(seconds=15)
async def refusals(lab: Lab) -> None:
    """The model refuses, answers rubbish, sets a rate limit, and at last takes no connections."""
    lab.phase("fault")
    for status in (400, 401, 403, 404, 422):
        key = lab.key()
        lab.llm.script(key, Status(status))
        await lab.generate(key, label=f"model-{status}", timeout=PATIENCE_SECONDS)
    for label, step in (
        ("malformed-json", MalformedJson()),
        ("empty-object", EmptyObject()),
        ("wrong-content-type", WrongContentType()),
    ):
        await _healthy(lab)
        key = lab.key()
        lab.llm.script(key, step)
        await lab.generate(key, label=label, timeout=PATIENCE_SECONDS)
    await _healthy(lab)
    key = lab.key()
    lab.llm.script(key, RateLimited(retry_after=RETRY_AFTER), Answer())
    await lab.generate(key, label="rate-limit", timeout=PATIENCE_SECONDS)
    key = lab.key()
    lab.llm.script(key, RateLimited(retry_after=LONG_RETRY_AFTER))
    await lab.generate(key, label="long-rate-limit", timeout=PATIENCE_SECONDS)
    await _healthy(lab)
    await lab.upstreams.outage("litellm")
    await lab.generate(label="refused", timeout=PATIENCE_SECONDS)
    await lab.upstreams.heal("litellm")


@experiment(seconds=12)
async def mlflow_down(lab: Lab) -> None:
    """MLflow refuses connections, then hangs; later it is back."""
    for _ in range(BASELINE_REQUESTS):
        await lab.generate(label="baseline", timeout=PATIENCE_SECONDS)
    lab.phase("fault")
    keys = {"mlflow-refused": lab.key(), "mlflow-hanging": lab.key()}
    await lab.upstreams.outage("mlflow")
    await lab.generate(keys["mlflow-refused"], label="mlflow-refused", timeout=MLFLOW_PATIENCE)
    await lab.upstreams.heal("mlflow")
    await lab.upstreams.hang("mlflow")
    await lab.generate(keys["mlflow-hanging"], label="mlflow-hanging", timeout=MLFLOW_PATIENCE)
    await lab.find_traces(list(keys.values()), seconds=FILE_SECONDS)
    lab.phase("recovery")
    await lab.upstreams.heal("mlflow")
    await lab.wait_for_traces(list(keys.values()), seconds=DELIVERY_SECONDS)


async def _healthy(lab: Lab) -> None:
    """Have a request answered, so that the failures before it and after it are not one outage to a breaker."""
    await lab.generate(label="healthy", timeout=PATIENCE_SECONDS)
