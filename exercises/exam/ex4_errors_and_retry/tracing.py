"""4.6: MLflow's troubles cost a caller no time, and no trace is lost by them."""

from chaos.history import Answer, Exchange, Fault, History, Trace
from chaos.keys import answer_code
from exercises.exam.ex4_errors_and_retry.axes import MLFLOW_FAULTS, ORDERS
from lab.reading import outcome
from lab.timing import blame_stalls, too_busy, undisturbed
from lab.traces import kept, shortfall
from lab.verdict import Verdict, all_of, failed, not_judged, passed

MLFLOW_SECONDS = 2.0


def mlflow_down_costs_nothing(mlflow_down: History, transient: History, refusals: History) -> Verdict:
    verdict = all_of(map(_costs_nothing, (mlflow_down, transient, refusals)))
    return passed(verdict.actual, *verdict.evidence[:1]) if verdict.passed else verdict


def _costs_nothing(history: History) -> Verdict:
    """Judge the requests that one instance has answered while something was wrong with MLflow."""
    baseline = [one for one in history.exchanges("baseline") if one.status == 200 and one.end]
    if not baseline:
        return not_judged("no request was answered before MLflow went down", blame="submission")
    usual = max(one.end.elapsed for one in baseline if one.end)
    certain = max(undisturbed(history, one) for one in baseline)
    labels = {f"mlflow {fault}, {order}" for fault in MLFLOW_FAULTS.values for order in ORDERS.values}
    asked = [exchange for exchange in history.exchanges() if exchange.request.label in labels]
    verdict = all_of(
        [*(_as_fast(history, one, usual, certain) for one in asked), _traces_kept(history, asked)]
    )
    if not verdict.passed:
        return verdict
    slowest = max(one.end.elapsed for one in asked if one.end)
    faults = " and ".join(dict.fromkeys(one.request.label.split()[1].strip(",") for one in asked))
    places = " and ".join(sorted({trace.place for trace in history.of(Trace)}))
    return passed(
        f"{faults}: {len(asked)} answers, the slowest after {slowest:.2f} s, traces in {places}",
        history.first(Trace),
    )


def _as_fast(history: History, exchange: Exchange, usual: float, certain: float) -> Verdict:
    """Judge an answer by the `usual` seconds, of which a stall may have been all but those that are `certain`."""
    key, end = exchange.request.key or "", exchange.end
    expected = (
        f"the model's answer ({exchange.request.label}) at most {MLFLOW_SECONDS:.0f} s"
        f" later than the usual {usual:.2f} s"
    )
    if not isinstance(end, Answer) or end.status != 200 or answer_code(key) not in end.body:
        return failed(expected, outcome(end), end, _mlflow_fault(history))
    limit = usual + MLFLOW_SECONDS
    if end.elapsed > limit:
        late = failed(expected, outcome(end), end, _mlflow_fault(history))
        return blame_stalls(undisturbed(history, exchange), limit, "answer", end) or late
    if end.elapsed > certain + MLFLOW_SECONDS:
        return too_busy("time the answer", end)
    return passed(outcome(end), end)


def _traces_kept(history: History, asked: list[Exchange]) -> Verdict:
    lost = [exchange for exchange in asked if kept(history, exchange.request.key) is None]
    if not lost:
        return passed(f"{len(asked)} traces")
    expected = "every trace in a local file of the service, or in MLflow once it is back"
    first = lost[0].request
    actual = f"{len(lost)} of {len(asked)} are incomplete or missing ({first.label}: {shortfall(history, first.key)})"
    if not history.calls("mlflow"):
        actual += "; MLflow was never called, even while it was up"
    return failed(expected, actual, lost[0].end, _mlflow_fault(history))


def _mlflow_fault(history: History) -> Fault | None:
    return next((fault for fault in history.of(Fault) if fault.upstream == "mlflow"), None)
