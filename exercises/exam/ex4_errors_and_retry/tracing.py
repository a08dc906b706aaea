"""4.6: MLflow's troubles cost a caller no time, and no trace is lost by them."""

from chaos.history import Answer, Exchange, Fault, History, Trace
from chaos.keys import answer_code
from exercises.exam.ex4_errors_and_retry.axes import MLFLOW_FAULTS, ORDERS
from lab.reading import outcome
from lab.timing import blame_stalls, undisturbed
from lab.traces import kept, shortfall
from lab.verdict import Verdict, all_of, failed, not_judged, passed

MLFLOW_SECONDS = 2.0


def mlflow_down_costs_nothing(mlflow_down: History) -> Verdict:
    baseline = [one for one in mlflow_down.exchanges("baseline") if one.status == 200 and one.end]
    if not baseline:
        return not_judged("no request was answered before MLflow went down", blame="submission")
    usual = max(undisturbed(mlflow_down, one) for one in baseline)
    asked = [
        exchange
        for fault in MLFLOW_FAULTS.values
        for order in ORDERS.values
        for exchange in mlflow_down.exchanges(f"mlflow {fault}, {order}")
    ]
    verdict = all_of(
        [*(_as_fast(mlflow_down, one, usual) for one in asked), _traces_kept(mlflow_down, asked)]
    )
    if not verdict.passed:
        return verdict
    slowest = max(one.end.elapsed for one in asked if one.end)
    places = sorted({trace.place for trace in mlflow_down.of(Trace)})
    return passed(
        f"{len(asked)} answers, the slowest after {slowest:.2f} s; traces in {' and '.join(places)}",
        mlflow_down.first(Trace),
    )


def _as_fast(history: History, exchange: Exchange, usual: float) -> Verdict:
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
    return passed(outcome(end), end)


def _traces_kept(history: History, asked: list[Exchange]) -> Verdict:
    lost = [exchange for exchange in asked if kept(history, exchange.request.key) is None]
    if not lost:
        return passed(f"{len(asked)} traces")
    expected = "every trace in a local file of the service, or in MLflow once that is back"
    first = lost[0].request
    actual = f"{len(lost)} of {len(asked)} are not whole ({first.label}: {shortfall(history, first.key)})"
    if not history.calls("mlflow"):
        actual += "; MLflow was never called, even while it was up"
    return failed(expected, actual, lost[0].end, _mlflow_fault(history))


def _mlflow_fault(history: History) -> Fault | None:
    return next((fault for fault in history.of(Fault) if fault.upstream == "mlflow"), None)
