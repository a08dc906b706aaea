import pytest

from chaos.demo.mark import Kind, Mark


@pytest.mark.parametrize("kind", ["latency", "outage", "freeze"])
def test_a_mark_is_read_as_it_was_written(kind: Kind) -> None:
    assert Mark.parse(Mark(kind, 1763730000).name) == Mark(kind, 1763730000)


@pytest.mark.parametrize(
    "name", ["latency_downstream", "demo_latency", "demo_latency_until_", "stage_fire_until_1"]
)
def test_the_names_of_others_are_none(name: str) -> None:
    assert Mark.parse(name) is None
