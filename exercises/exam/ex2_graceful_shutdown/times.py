"""What exercise 2 promises of the end of a service, in seconds, and how long the lab looks on."""

from exercises.exam.promises import TOLERANCE_SECONDS

EXIT_SECONDS = 30.0
"""The process has exited by then after SIGTERM, whatever is still under way."""

DRAIN_SECONDS = 15.0
"""What is answered by then after SIGTERM gets its real answer; the rest of the 30 s is for all that follows."""

PROMPT_SECONDS = 5.0
"""The process has exited by then after its last request, or after SIGTERM where it has none."""

PROMPT_TOLERANCE_SECONDS = 1.0
"""What a busy machine may add to the prompt exit."""

HEARD_SECONDS = 1.0
"""A signal needs a moment to be heard: what is asked sooner after it may still be served."""

LET_GO_SECONDS = 4.0
"""What the fault proxy and a busy machine may take to pass the end of a connection on to the upstream."""

EXIT_PATIENCE = EXIT_SECONDS + TOLERANCE_SECONDS + 1
LET_GO_PATIENCE = LET_GO_SECONDS + 1
"""When the lab stops waiting for each of these."""
