"""The one event loop of a runner's own questions: gRPC polls on it for as long as the process lives."""

import asyncio
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Answer = TypeVar("Answer")


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def complete(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Runs `work` to its end. For one thread at a time."""
    return _runner().run(work)
