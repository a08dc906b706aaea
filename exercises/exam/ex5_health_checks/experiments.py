"""The experiments of exercise 5: dependencies that break, vanish and fall silent, and crowds that ask how they are."""

from exercises.exam.ex5_health_checks.axes import FORMS, RECOVERIES, UNREACHABLE
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES, KEPT_SECONDS, SEEN_SECONDS
from exercises.exam.ex5_health_checks.watching import MANY_AT_ONCE, Watch
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["blackholes", "compose_files", "outages", "rested", "swallowed"]

CROWD_DELAY = 0.8
REST_MARGIN = 1.0


@experiment(seconds=1, needs="nothing")
async def compose_files(lab: Lab) -> None:
    """Read the compose files of the repository, what they extend, and the Dockerfiles."""
    for _ in lab.vary(FORMS):
        pass
    folders = ("", "docker/", "deploy/", "compose/")
    lab.record_files(
        *(f"{folder}*.y*ml" for folder in folders), "Dockerfile*", "*/Dockerfile*", "src/*/Dockerfile*"
    )


@experiment(seconds=28, needs="start")
async def outages(lab: Lab) -> None:
    """Dependencies break in many ways: one by one, two and three together. When they are back, 100 callers ask at once."""
    watch = Watch(lab)
    await watch.all_up("healthy")
    await watch.ask_otherwise("all up")
    await watch.ask_liveness_alone()
    lab.phase("fault")
    watch.tried(RECOVERIES, "one by one")
    for step in watch.plan.broken_in_turn():
        if await watch.step(step, still=2) and len(step.down) != 2:
            await watch.ask_otherwise("one down" if len(step.down) == 1 else "three down")
    lab.phase("recovery")
    watch.tried(RECOVERIES, "all at once")
    await watch.all_up("recovered", callers=MANY_AT_ONCE)
    # So slow that all ask before the first report is made.
    for upstream in DEPENDENCIES:
        await lab.upstreams.latency(upstream, CROWD_DELAY)
    await watch.crowd("all up")
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)


@experiment(seconds=28, needs="start")
async def blackholes(lab: Lab) -> None:
    """Dependencies neither accept nor refuse connections, one by one, then all; then some break in other ways."""
    watch = Watch(lab)
    await watch.all_up("healthy")
    lab.phase("fault")
    for kind in UNREACHABLE.values:
        for step in watch.plan.in_turn(kind):
            await watch.step(step, still=1)
    for step in watch.plan.broken_still(0):
        await watch.step(step)
    await watch.heal()


@experiment(seconds=30, needs="start")
async def swallowed(lab: Lab) -> None:
    """Dependencies accept connections and answer nothing in time: one by one, while 100 callers ask, then all at once."""
    watch = Watch(lab)
    await watch.all_up("healthy")
    lab.phase("fault")
    for step in watch.plan.silent_in_turn():
        if await watch.step(step, still=2):
            await watch.crowd(", ".join(f"{upstream} hangs" for upstream in step.down))
    for step in watch.plan.broken_still(1):
        await watch.step(step, still=2)
    await watch.step(watch.plan.silent_together())
    lab.phase("recovery")
    await watch.all_up("recovered", callers=MANY_AT_ONCE)


@experiment(seconds=KEPT_SECONDS + 2, needs="start")
async def rested(lab: Lab) -> None:
    """A dependency breaks while nobody asks, for longer than a report may be kept; then one caller asks.

    A service that asks by itself at intervals may not have seen it yet. It has more time to see the next change.
    """
    watch = Watch(lab)
    if not await watch.all_up("healthy"):
        return
    lab.phase("fault")
    first, second = watch.plan.broken_at_rest()
    if not await watch.rest(first, seconds=KEPT_SECONDS + REST_MARGIN):
        await watch.rest(second, seconds=SEEN_SECONDS + REST_MARGIN)
    await watch.heal()
