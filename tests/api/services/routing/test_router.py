from api.services.callers import Caller, Tier
from api.services.routing.router import Choice, ModelRouter
from api.services.routing.routes import Route
from tests.api.services.limits.support import sample

ALICE = Caller("alice", Tier.FREE, frozenset())


def test_without_rules_a_caller_gets_what_it_asks_for() -> None:
    choice = ModelRouter([], {}).choose_model(ALICE, "large")

    assert choice == Choice("large")
    assert choice.headers == {}


def test_a_rule_names_model_and_fallback() -> None:
    router = ModelRouter([Route(model="large", fallback="small", tier=Tier.FREE)], {})
    before = sample("model_choices_total", model="large", reason="route")

    choice = router.choose_model(ALICE, "anything")

    assert choice == Choice("large", fallback="small", reason="route")
    assert choice.headers == {"X-Model": "large", "X-Model-Reason": "route"}
    assert sample("model_choices_total", model="large", reason="route") == before + 1


def test_variants_are_of_the_model_that_a_rule_names() -> None:
    router = ModelRouter([Route(model="large", fallback="small")], {"large": {"large-v2": 1.0}})

    assert router.choose_model(ALICE, "other") == Choice("large-v2", fallback="small", reason="variant")


def test_models_that_callers_name_make_no_series() -> None:
    router = ModelRouter([], {})
    before = sample("model_choices_total", model="as requested", reason="requested")
    for number in range(100):
        router.choose_model(ALICE, f"model {number}")

    assert sample("model_choices_total", model="as requested", reason="requested") == before + 100
