"""The local stack: the service of a repository with its upstreams behind fault proxies, for tests by hand.

    grading up ──starts──> supervisor ─┬─ stand-ins: model, Qdrant, MLflow (in its own process)
        │                              ├─ warden ── fault proxy
        └─ ends when all is up         └─ warden ── service

The supervisor owns everything: when it ends, however that happens, the rest ends with it. It holds a claim on the
stack's folder for as long as it lives, which is how `down`, `status` and `token` find it.
"""
