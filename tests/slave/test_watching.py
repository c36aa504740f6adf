"""A real slave with a real master below it: starts, restarts, silence."""

import os
import signal
import socket
import time
from pathlib import Path

from tests.slave.conftest import MakeHost
from tests.slave.support import SILENCE_SECONDS, Host, until


def environment_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


async def test_a_killed_master_is_replaced_at_once(host: Host) -> None:
    host.start_slave()
    first = await host.serving()
    os.kill(first.master_pid, signal.SIGKILL)
    second = await host.serving(besides=first.master_pid)
    assert second.master_incarnation == first.master_incarnation + 1
    assert second.last_exit == "killed by SIGKILL"
    assert second.restarts == 1
    log = host.log.read_text()
    assert "killed by SIGKILL; the next one starts in 0.05 s" in log, "the others elect meanwhile, and that is all"


async def test_the_restart_delay_is_waited_for_and_shown(make_host: MakeHost) -> None:
    host = make_host(restart_delay_seconds=2.0)
    host.start_slave()
    first = await host.serving()
    killed_at = time.monotonic()
    os.kill(first.master_pid, signal.SIGKILL)
    waiting = await host.until("backing off", lambda s: s.state == "backing-off")
    assert 0 < waiting.next_start_in_seconds <= 2.0
    assert waiting.master_pid == 0
    await host.serving()
    assert host.starts()[1].at - killed_at >= 2.0


async def test_a_crash_loop_slows_down(host: Host) -> None:
    host.behave("70")
    host.start_slave()
    starts = await until("four starts", lambda: s if len(s := host.starts()) >= 4 else None)
    assert starts[2].at - starts[1].at >= 0.1
    assert starts[3].at - starts[2].at >= 0.5
    host.behave("serve")
    await host.serving()


async def test_a_master_that_needs_a_person_waits_longest_and_the_status_says_so(host: Host) -> None:
    host.behave("2")
    host.start_slave()
    status = await host.until("waiting long", lambda s: s.state == "backing-off" and s.next_start_in_seconds > 3)
    assert status.last_exit == "exit status 2"
    assert "a person must change something" in host.log.read_text()


async def test_a_stopped_master_is_noticed_killed_and_replaced(make_host: MakeHost) -> None:
    host = make_host(silence_seconds=SILENCE_SECONDS)
    host.start_slave()
    first = await host.serving()
    stopped_at = time.monotonic()
    os.kill(first.master_pid, signal.SIGSTOP)
    second = await host.serving(besides=first.master_pid)
    assert second.last_exit == "killed by SIGKILL"
    assert host.starts()[1].at - stopped_at > SILENCE_SECONDS / 2
    assert f"said nothing for {SILENCE_SECONDS:g} s" in host.log.read_text()


async def test_a_busy_master_is_not_silent_and_is_killed_only_when_it_is_stuck(make_host: MakeHost) -> None:
    host = make_host(silence_seconds=0.8, stuck_seconds=3.0)
    host.behave("busy")
    host.start_slave()
    first = await host.serving()
    served_at = time.monotonic()
    host.behave("serve")
    second = await host.serving(besides=first.master_pid)
    assert second.last_exit == "killed by SIGKILL"
    assert host.starts()[1].at - served_at > 2.5
    said = host.log.read_text()
    loop = f"the event loop of the master (pid {first.master_pid}) has not run for"
    assert said.count(loop) == 2, "once when it is noticed, and once before the end"
    assert "s: SIGKILL" in said
    assert "said nothing" not in said


async def test_a_master_that_never_speaks_is_replaced_after_its_time_to_start(make_host: MakeHost) -> None:
    host = make_host(silence_seconds=SILENCE_SECONDS)
    start_seconds = max(SILENCE_SECONDS, round(4 * await host.come_up_seconds(), 1))
    host.write_config(start_seconds=start_seconds)
    host.behave("silent")
    host.start_slave()
    await until("a start", lambda: len(host.starts()) == 2)
    host.behave("serve")
    assert (await host.serving()).restarts == 1
    assert f"did not come up within {start_seconds:g} s" in host.log.read_text()


async def test_a_slave_that_was_stopped_itself_does_not_blame_its_master(make_host: MakeHost) -> None:
    host = make_host(silence_seconds=SILENCE_SECONDS)
    slave = host.start_slave()
    first = await host.serving()
    slave.send_signal(signal.SIGSTOP)
    time.sleep(2.0)  # noqa: ASYNC251  # nothing happens, for that long: that is the test
    slave.send_signal(signal.SIGCONT)
    later = time.monotonic() + 1.2 * SILENCE_SECONDS
    status = await host.until("later", lambda s: time.monotonic() > later)
    assert status.master_pid == first.master_pid
    assert status.state == "serving"


async def test_a_command_that_cannot_be_executed_leaves_a_slave_that_says_so(host: Host) -> None:
    host.write_config(master_command=["/nonexistent/python"])
    host.start_slave()
    status = await host.until("backing off", lambda s: s.state == "backing-off")
    assert "/nonexistent/python" in status.last_exit


async def test_the_master_has_a_session_of_its_own_and_the_slaves_journal_but_not_its_systemd(host: Host) -> None:
    path = host.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        slave = host.start_slave(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="1000000")
        told = b""
        while b"READY=1" not in told:
            told = manager.recv(4096)
        assert host.starts() or int((host.folder / "master.lock").read_text()), "ready means: a master was started"
    master = (await host.serving()).master_pid
    assert os.getsid(master) == master != os.getsid(slave.pid)
    variables = environment_of(master)
    assert not [v for v in variables if v.startswith(("NOTIFY_SOCKET=", "WATCHDOG_USEC="))]
    assert os.readlink(f"/proc/{master}/fd/2") == str(host.log)
