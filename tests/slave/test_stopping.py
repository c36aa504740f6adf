"""An orderly stop takes both down, whatever happens to the slave meanwhile; a crash of the slave does not."""

import signal
import time

from tests.slave.conftest import MakeHost
from tests.slave.support import Host, is_alive, until


async def test_an_orderly_stop_ends_both(host: Host) -> None:
    slave = host.start_slave()
    master = (await host.serving()).master_pid
    host.kill_slave(signal.SIGTERM)
    assert slave.returncode == 0
    assert not is_alive(master)
    assert len(host.starts()) == 1


async def test_a_master_that_does_not_listen_is_killed_in_the_end(make_host: MakeHost) -> None:
    host = make_host(stop_seconds=0.5)
    host.behave("ignore-term")
    slave = host.start_slave()
    master = (await host.serving()).master_pid
    asked_at = time.monotonic()
    host.kill_slave(signal.SIGTERM)
    assert slave.returncode == 0
    assert not is_alive(master)
    assert time.monotonic() - asked_at >= 0.5


async def test_a_stop_while_the_next_start_waits_ends_at_once(host: Host) -> None:
    host.behave("2")
    slave = host.start_slave()
    await host.until("waiting long", lambda s: s.state == "backing-off" and s.next_start_in_seconds > 3)
    starts = len(host.starts())
    host.kill_slave(signal.SIGTERM)
    assert slave.returncode == 0
    assert len(host.starts()) == starts


async def test_a_stop_whose_slave_was_killed_still_ends_the_master(host: Host) -> None:
    slave = host.start_slave()
    master = (await host.serving()).master_pid
    assert host.command("announce-stop", MAINPID=str(slave.pid)).returncode == 0
    host.kill_slave()
    assert is_alive(master)
    stopped = host.command("stop-master", EXIT_CODE="killed", EXIT_STATUS="KILL")
    assert stopped.returncode == 0
    assert str(master) in stopped.stderr
    assert not is_alive(master)


async def test_a_crash_of_the_slave_leaves_the_master_alone(host: Host) -> None:
    host.start_slave()
    master = (await host.serving()).master_pid
    host.kill_slave()
    assert host.command("stop-master", EXIT_CODE="killed", EXIT_STATUS="KILL").returncode == 0
    assert is_alive(master)


async def test_a_stop_in_the_first_moments_of_a_slave_counts(host: Host) -> None:
    host.start_slave()
    master = (await host.serving()).master_pid
    host.kill_slave()
    assert host.command("stop-master", EXIT_CODE="killed", EXIT_STATUS="TERM").returncode == 0
    assert not is_alive(master)


async def test_the_mark_of_an_old_stop_is_gone_once_a_slave_runs(host: Host) -> None:
    assert host.command("announce-stop", MAINPID="1").returncode == 0
    host.start_slave()
    master = (await host.serving()).master_pid
    host.kill_slave()
    assert host.command("stop-master", EXIT_CODE="killed", EXIT_STATUS="KILL").returncode == 0
    assert is_alive(master)


def test_tidying_up_after_a_slave_that_ended_by_itself_is_no_stop(host: Host) -> None:
    assert host.command("announce-stop", MAINPID="").returncode == 0
    assert not (host.folder / "stopping").exists()


async def test_stop_master_kills_one_that_does_not_listen(make_host: MakeHost) -> None:
    host = make_host(stop_seconds=0.3)
    host.behave("ignore-term")
    host.start_slave()
    master = (await host.serving()).master_pid
    host.kill_slave()
    assert host.command("stop-master", EXIT_CODE="killed", EXIT_STATUS="TERM").returncode == 0
    await until("gone", lambda: not is_alive(master))


async def test_nothing_runs_and_nothing_is_stopped(host: Host) -> None:
    assert host.command("stop-master", EXIT_CODE="killed", EXIT_STATUS="TERM").returncode == 0
    assert not host.starts()
