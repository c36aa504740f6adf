"""The giving end of a state copy: what Master.FetchState streams to a member that is too far behind."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tinysns.wire.v1 import master_pb2 as pb

CHUNK_BYTES = 1024 * 1024


async def send(copy_to: Callable[[Path], int], folder: Path) -> AsyncIterator[pb.StateChunk]:
    """A copy made now, in chunks. `copy_to(path)` makes it and returns its applied index; it is removed afterwards.

    `folder` is the state's own: what a crash leaves there is removed at the next start (storage/layout.py).
    """
    with tempfile.TemporaryDirectory(prefix="outgoing-", dir=folder) as made:
        path = Path(made) / "copy.db"
        applied_index = await asyncio.to_thread(copy_to, path)
        chunk = pb.StateChunk(applied_index=applied_index, size_bytes=path.stat().st_size)
        with path.open("rb") as file:
            while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                chunk.data = data
                yield chunk
                chunk = pb.StateChunk()
