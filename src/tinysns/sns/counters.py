"""What a master can tell of its service, for status and for routing by load."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Since this process started, but for `open_streams`."""

    open_streams: int = 0
    """timelines that are open now"""
    posts_delivered: int = 0
    """posts written to timelines, counted for each reader"""
    local_reads: int = 0
    """lists and openings of timelines that were answered from this master's own state"""
    on_streams: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    """called on each change of `open_streams`; it must be quick"""

    def stream_opened(self) -> None:
        """One timeline more."""
        self.open_streams += 1
        self.on_streams()

    def stream_closed(self) -> None:
        """One timeline less."""
        self.open_streams -= 1
        self.on_streams()
