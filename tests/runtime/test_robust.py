"""The robust mutex: who waits hears of a death at once, and of nothing else."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tinysns.runtime.robust import Mutex, beside

HOLDER = """
import sys, time
from pathlib import Path
from tinysns.runtime.robust import Mutex
Mutex.hold(Path(sys.argv[1]))
print("holds it", flush=True)
sys.stdin.readline()
"""


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds it\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def waiting(path: Path) -> Callable[[], bool]:
    """Waits in a thread, which is what a slave does; the result is `wait`'s."""
    heard: list[bool] = []
    mutex = Mutex(path)
    thread = threading.Thread(target=lambda: heard.append(mutex.wait()), daemon=True)
    thread.start()

    def result() -> bool:
        thread.join(60)
        return heard[0]

    time.sleep(0.1)
    assert not heard, "the holder lives"
    return result


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, "exit"])
def test_a_death_is_told_to_all_who_wait(tmp_path: Path, end: signal.Signals | str) -> None:
    path = beside(tmp_path / "x.lock")
    with holder(path) as process:
        results = [waiting(path), waiting(path)]  # a slave that was replaced may still be there
        if isinstance(end, signal.Signals):
            process.send_signal(end)
        else:
            process.communicate("exit\n")
        assert [result() for result in results] == [True, True]


def test_a_new_holder_does_not_touch_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.mutex"
    with holder(path) as first:
        of_the_first = waiting(path)
        with holder(path):
            of_the_second = waiting(path)
            first.kill()
            assert of_the_first() is True
        assert of_the_second() is True


def test_without_a_holder_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Mutex(tmp_path / "x.mutex")
