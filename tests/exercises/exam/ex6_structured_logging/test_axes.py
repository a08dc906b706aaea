import json

import pytest

from exercises.exam.ex6_structured_logging import prints
from exercises.exam.ex6_structured_logging.axes import AXES, CROWD, ENDPOINTS, OUTCOMES, WAYS
from exercises.exam.ex6_structured_logging.careless import PLACES
from exercises.exam.ex6_structured_logging.experiments import CROWD_SIZE
from exercises.exam.ex6_structured_logging.planted import HOSTILE, KEPT, ODD, is_harmless, mark
from lab.axes import Axis
from tests.exam import CONTRACT

KEY = "ref-1a2b3c4d5e6f"


def test_every_endpoint_of_the_contract_is_tried() -> None:
    assert set(CONTRACT.endpoints) | {"login", "ask", "unknown"} == set(ENDPOINTS.values)


def test_outcomes_are_made_of_endpoints_and_ways() -> None:
    for endpoint, way in OUTCOMES.values.values():
        assert endpoint in ENDPOINTS.values
        assert way in {"", *WAYS.values}


def test_the_crowd_has_its_size() -> None:
    assert sum(count for count, _ in CROWD.values.values()) == CROWD_SIZE


def test_sane_and_odd_ids_are_harmless_and_differ() -> None:
    made = [make(KEY) for make in (*KEPT.values(), *ODD.values())]

    assert all(map(is_harmless, made))
    assert len(set(made)) == len(made)
    assert {len(make(KEY)) for make in KEPT.values()} == {36}
    assert len(ODD["ULID"](KEY)) == 26


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "two headers"])
def test_hostile_ids_are_not_harmless(kind: str) -> None:
    assert not is_harmless(HOSTILE[kind](mark(KEY)).decode("latin-1"))


@pytest.mark.parametrize("place", PLACES)
def test_a_careless_request_holds_its_secrets(place: str) -> None:
    sent = PLACES[place](KEY)
    whole = json.dumps([sent.query, *sent.headers.values()]).encode() + sent.body

    assert sent.endpoint in ENDPOINTS.values
    assert sent.secrets
    assert any(secret.encode() in whole for secret in sent.secrets)


def test_what_prints_is_looked_for_by_name() -> None:
    [axis] = AXES["nothing_is_printed"]

    assert axis == Axis("ways to print", {kind: kind for kind in prints.KINDS})
