import subprocess
import sys

from api.services.routing.variants import pick_variant

USERS = [f"user {number}" for number in range(2000)]
VARIANTS = {"chat": {"v1": 9.0, "v2": 1.0}}


def test_a_model_without_variants_has_none() -> None:
    assert pick_variant(VARIANTS, "other", "alice") is None


def test_users_are_spread_by_weight() -> None:
    picked = [pick_variant(VARIANTS, "chat", user) for user in USERS]

    assert 140 < picked.count("v2") < 260
    assert picked.count("v1") + picked.count("v2") == len(USERS)


def test_another_process_picks_the_same() -> None:
    program = (
        "from api.services.routing.variants import pick_variant as pick\n"
        f"print(''.join(pick({VARIANTS!r}, 'chat', f'user {{n}}') for n in range(200)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "".join(str(pick_variant(VARIANTS, "chat", user)) for user in USERS[:200])


def test_a_greater_weight_takes_users_and_moves_no_others() -> None:
    greater = {"chat": {"v1": 9.0, "v2": 3.0}}
    for user in USERS:
        if pick_variant(VARIANTS, "chat", user) == "v2":
            assert pick_variant(greater, "chat", user) == "v2"


def test_two_experiments_are_independent() -> None:
    halves = {"a": {"v1": 1.0, "v2": 1.0}, "b": {"v1": 1.0, "v2": 1.0}}
    same = sum(pick_variant(halves, "a", user) == pick_variant(halves, "b", user) for user in USERS)

    assert 850 < same < 1150
