"""Faults on a running stack, for an audience: the command `chaos`.

    chaos latency, outage ──> Toxiproxy ──────── between the service and what it depends on
    chaos flaky           ──> the scripted model  (chaos.llm.failures)
    chaos signal          ──> the service, a process or a container
    chaos traffic, watch  ──> the service, by HTTP

No fault is left behind. A command holds its fault in the foreground and heals it at the end; and what it set carries
its end in its own name (`demo_latency_until_1763730000`), so that after a SIGKILL the next command heals it.
"""
