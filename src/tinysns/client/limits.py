"""How patient a client is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Each in seconds; the defaults suit people and programs alike."""

    # Of a whole call; math.inf: none. A failover takes some 10 ms, an election by timeout under 1 s.
    deadline_seconds: float = 10.0
    try_seconds: float = 0.2  # of one try on one master, without any answer from it
    connect_seconds: float = 3.0  # until a router has answered: longer than a router needs to be restarted
    notice_seconds: float = 1.0  # what waits for longer is told to on_wait; a failover is far shorter
