"""A master as its slave sees it: the lock, heartbeats, an incarnation that grows; how it behaves stands in a file.

Usage: fake_master.py FOLDER. The file "behaviour" is read at each start: "serve", "ignore-term", "silent",
"busy" (its event loop soon stands still) or a number to exit with.
"""

import os
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
starts = folder / "starts"
incarnation = len(starts.read_text().splitlines()) + 1 if starts.exists() else 1
with starts.open("a") as file:
    file.write(f"{os.getpid()} {incarnation} {time.monotonic()}\n")
behaviour = (folder / "behaviour").read_text()
if behaviour.isdecimal():
    sys.exit(int(behaviour))

import asyncio  # noqa: E402  # the rest is slow to import
import signal  # noqa: E402

from tinysns.master.heartbeats import Heartbeats  # noqa: E402
from tinysns.master.lock import hold_lock  # noqa: E402


async def main() -> None:
    if behaviour == "ignore-term":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with hold_lock(folder / "master.lock"):
        if behaviour != "silent":
            heartbeats = Heartbeats(folder / "slave.sock")
            heartbeats.say(incarnation, "")
            heartbeats.start()
        if behaviour == "busy":
            await asyncio.sleep(0.5)
            time.sleep(60)  # noqa: ASYNC251  # the event loop does not run: that is the test
        await asyncio.Event().wait()


asyncio.run(main())
