from chaos.history import Log, Phase
from chaos.recorder import Recorder


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_events_are_stamped_with_the_seconds_since_the_beginning() -> None:
    clock = Clock()
    recorder = Recorder(clock)
    clock.now += 1.5

    assert recorder.record(Phase(name="control")).t == 1.5
    assert recorder.now() == 1.5


def test_what_is_told_late_takes_its_place_among_the_rest() -> None:
    clock = Clock()
    recorder = Recorder(clock)
    for name in ("control", "fault", "recovery"):
        clock.now += 1.0
        recorder.record(Phase(name=name))

    told = recorder.record(Log(stream="stdout", text="late"), at=1.5)
    before = recorder.record(Log(stream="stdout", text="before all"), at=-3.0)

    assert (told.t, before.t) == (1.5, 0.0)
    assert [event.t for event in recorder.history().events] == [0.0, 1.0, 1.5, 2.0, 3.0]
