"""Where the embedded server differs on purpose from the real one (v2.12). Each has a test of its name."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deviation:
    """What the real server does, and what the embedded one does instead."""

    name: str
    real: str
    embedded: str


DEVIATIONS: Final = (
    Deviation(
        "what_would_crash_is_refused",
        "a slicer with average_size 0 or a negative bandwidth rate is accepted, and crashes the process on data",
        "400 `invalid attributes: ...`; a slicer's size_variation must lie between 0 and average_size",
    ),
    Deviation(
        "a_seed_replays",
        "-seed has no effect",
        "rolls and jitter depend on the seed, the proxy's name, the connection's number and the toxic's name only",
    ),
    Deviation(
        "a_dial_holds_up_nobody",
        "a dial without an answer blocks the proxy's other clients, and disabling or deleting it",
        "each connection dials for itself; disabling drops those that dial",
    ),
    Deviation(
        "the_control_plane_never_hangs",
        "with one client that does not read, changing a toxic may hang, and with it GET /proxies, for good",
        "a change never waits for a peer: what it flushes is kept in memory until the client reads",
    ),
    Deviation(
        "removing_reset_peer_in_time_heals",
        "once reset_peer has seen data, removing it answers only after its timeout, and the reset still comes",
        "it answers at once; the data passes and the connection lives",
    ),
    Deviation(
        "toxics_leave_their_neighbours_alone",
        "adding or removing a toxic restarts the one before it: what that held is flushed, its toxicity rolled again",
        "only the toxic that was changed is touched",
    ),
    Deviation(
        "delays_of_several_toxics_add_up",
        "a delay counts from when the proxy received the chunk, so a second toxic's delay shrinks by queueing time",
        "a delay counts from when the previous toxic passed the chunk on",
    ),
    Deviation(
        "only_reset_peer_itself_resets",
        "connections made while there is a reset_peer end with RST, also at toxicity 0 and after its removal",
        "only a connection that reset_peer ends does",
    ),
    Deviation(
        "a_new_bandwidth_applies_to_what_waits",
        "an update lets the rest of the current chunk through at once",
        "the rest waits its turn at the new rate",
    ),
    Deviation(
        "updates_are_all_or_nothing",
        "attributes before a bad one in the same update are changed, though the answer is 400",
        "nothing is changed",
    ),
    Deviation(
        "metrics_count_as_bytes_flow",
        "a connection's bytes are counted when it ends; -runtime-metrics adds those of the Go runtime",
        "bytes are counted when they pass; there is no -runtime-metrics",
    ),
    Deviation(
        "bodies_hold_no_logger",
        'proxies carry `"Logger": {}`',
        "they do not",
    ),
    Deviation(
        "port_0_is_any_port",
        "-port 0 listens nobody knows where; where a port is taken the process goes on without a control API",
        "the first line on stdout is JSON with the `url`; where a port is taken it exits 1",
    ),
    Deviation(
        "reasons_are_in_other_words",
        "`bad request body:` goes on in the words of Go's JSON decoder",
        "it goes on in words of its own",
    ),
)
