"""What a master can tell of its service, for status and for routing by load."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Since this process started, but for `open_streams`."""

    open_streams: int = 0
    """timelines that are open now"""
    posts_delivered: int = 0
    """posts written to timelines, counted for each reader"""
    local_reads: int = 0
    """lists and openings of timelines that were answered from this master's own state"""
