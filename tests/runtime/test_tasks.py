"""Background tasks end when they are told to, and their crashes are heard."""

import asyncio
import contextlib

from tinysns.runtime.tasks import Tasks


async def test_stopping_ends_tasks_even_if_they_lose_the_first_cancellation() -> None:
    crashes: list[BaseException] = []
    tasks = Tasks(crashes.append)
    ends: list[str] = []

    async def loses_one() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("ended")

    tasks.start("loses one", loses_one())
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.stop(), 60)
    assert ends == ["ended"]
    assert not crashes


async def test_a_crash_is_told_with_its_error() -> None:
    crashes: list[BaseException] = []
    tasks = Tasks(crashes.append)

    async def crash() -> None:
        raise ValueError("broken")

    task = tasks.start("crash", crash())
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert [str(e) for e in crashes] == ["broken"]
    await tasks.stop()
