"""The stack for tests by hand: the service of a repository with its upstreams behind fault proxies.

Where there is Docker, it is the repository's compose stack, and compose owns it (`grading.stack.compose`). Else it is
local:

    grading up ──starts──> supervisor ─┬─ stand-ins: model, Qdrant, MLflow (in its own process)
        │                              ├─ warden ── fault proxy
        └─ ends when all is up         └─ warden ── service

The supervisor owns everything: when it ends, however that happens, the rest ends with it. It holds a claim on the
stack's folder for as long as it lives, which is how `down`, `status` and `token` find it.
"""
