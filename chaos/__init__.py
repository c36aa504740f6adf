"""Chaos: kills processes of a running cluster while real clients use it, and judges what the clients saw.

It knows the service only by its client. What is right is written down here a second time (checks/), so that a bug in
the service cannot hide itself.

    plan.py      which fault comes when, from a seed
    faults/      how to do it to the cluster, and what proves that it happened
    traffic/     writers and followers, each a process of its own
    history.py   what they wrote down
    checks/      history in, verdict out; no IO
    report/      verdict in, files out
"""
