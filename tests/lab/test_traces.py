from chaos.history import History, Trace
from lab.traces import NONE, kept, shortfall


def test_a_whole_trace_is_kept_wherever_it_is() -> None:
    part = Trace(key="ref-1", place="mlflow", holds=("prompt",))
    whole = Trace(key="ref-1", place="file", detail="traces.jsonl")
    history = History([part, Trace(key="ref-2", place="file"), whole])
    assert kept(history, "ref-1") is whole
    assert kept(History([part]), "ref-1") is None


def test_a_shortfall_is_told() -> None:
    part = Trace(key="ref-1", place="file", detail="cache.db", holds=("prompt", "model"))
    assert shortfall(History([part]), "ref-1") == "what cache.db has of it is without answer and tokens"
    assert shortfall(History([part]), "ref-2") == NONE
