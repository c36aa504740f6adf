"""One member alone: it elects itself, and commits whatever it has written. Also a program that writes until it dies.

usage: single.py DIRECTORY    prints "index bytes" of every entry that is committed
"""

import os
import sys

import raftlog

GROUP = 1


def pump(log: raftlog.Log, group: raftlog.Group) -> list[tuple[int, bytes]]:
    """Does everything that the group asks for; returns what it committed."""
    committed = []
    while (ready := group.ready()) is not None:
        log.write([ready.write])
        assert group.persisted(ready.write) == []
        committed += ready.committed
    return committed


def lead(log: raftlog.Log, applied: int = 0) -> raftlog.Group:
    group = log.group(GROUP, 1, applied=applied)
    group.campaign()
    pump(log, group)
    return group


def main(directory: str) -> None:
    log = raftlog.Log.open(directory)
    group = lead(log)
    while True:
        group.propose([os.urandom(20_000)] * 8)
        for index, data in pump(log, group):
            os.write(1, b"%d %d\n" % (index, len(data)))


if __name__ == "__main__":
    main(sys.argv[1])
