"""The deployed service under real faults on real hosts, while clients post and read all the time.

Each test begins and ends with a service that is well. `service.load()` ends with the judgement: every acknowledged post
is there once and in order, for the follower and for a new client of each master, and all masters hold the same.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Deployed
from tests.lab.inside import MASTERS
from tests.lab.service import DATA, HOSTS, SLAVE, Failed, Inside, Load, Seen, Service, run
from tests.lab.service import ROUTER as ROUTER_UNIT
from tinysns.client.status import MasterState

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]  # the first test deploys, the last one compiles

NO_FSYNC = "unsafe-no-fsync"
FILLER = f"{DATA}/filler"
DROP_IN = f"/etc/systemd/system/{SLAVE}.service.d"
KEPT = f"{DATA}/kept-for-no-fsync"
SLAVE_SETTINGS = "/etc/tinysns/slave.toml"
RESTART_DELAY_SECONDS = 3
WITHOUT_ROUTER_SECONDS = 20.0  # nothing that waits for a router waits for half as long


@pytest.fixture(scope="module")
def deployed(deployed_on_the_lab: Deployed) -> Iterator[Service]:
    """The service as it stands in this tree."""
    run("lab/hosts", "up", seconds=600)
    with Inside() as inside:
        service = Service(inside)
        bring_fsync_back(service)  # a run of these tests may have been killed
        deployed_on_the_lab.under("available")
        yield service


@pytest.fixture
def service(deployed: Service) -> Iterator[Service]:
    """The service, well before and after."""
    deployed.healthy()
    yield deployed
    deployed.healthy()


def identity(master: MasterState) -> tuple[int, int]:
    return master.pid, master.incarnation


def waits_for_another(service: Service, host: str, before: MasterState) -> None:
    """Until the host has another master, which serves."""
    service.until(
        lambda seen: seen.master(host).incarnation > before.incarnation and seen.master(host).serving,
        f"{host} has another master than the one with pid {before.pid}",
    )
    assert service.look().master(host).pid != before.pid


def in_one_term(service: Service, check: Callable[[], None]) -> None:
    """Once more if it fails while leadership moved by itself: the disk of a busy machine may really stall."""
    for _ in range(2):
        term = service.look().term
        try:
            return check()
        except AssertionError:
            if service.look().term == term:
                raise
            service.healthy()
    return check()


def runs(service: Service, host: str, pid: int) -> bool:
    return service.on(host, f"test -d /proc/{pid} && echo yes || true").strip() == "yes"


# -- supervision -----------------------------------------------------------------------------------------------------


def test_a_master_outlives_its_slave_and_the_next_slave_restarts_it(service: Service) -> None:
    with service.load() as load:

        def check() -> None:
            leader, clients_went_to = service.leader(), load.traffic().masters
            before, slave = service.look().master(leader), service.look().slave(leader)
            service.kill_unit(leader, SLAVE)
            service.until(
                lambda seen: seen.slave(leader).pid not in (0, slave.pid) and seen.slave(leader).state == "serving",
                f"{leader} has another slave, which watches",
            )
            load.goes_on()
            after = service.look()
            assert after.slave(leader).adopted
            assert identity(after.master(leader)) == identity(before)
            assert after.master(leader).open_streams == before.open_streams > 0
            assert load.traffic().masters == clients_went_to

        in_one_term(service, check)
        leader = service.leader()
        before = service.look().master(leader)
        restarts = service.look().slave(leader).restarts
        service.signal(leader, before.pid, "KILL")
        waits_for_another(service, leader, before)
        assert service.look().slave(leader).restarts == restarts + 1


@pytest.mark.parametrize("which", ["leader", "standby"])
def test_a_hung_master_is_noticed_killed_and_replaced(service: Service, which: str) -> None:
    with service.load() as load:
        host = service.leader() if which == "leader" else service.standby()
        before = service.look().master(host)
        service.signal(host, before.pid, "STOP")
        load.goes_on()
        waits_for_another(service, host, before)
        assert "SIGKILL" in service.look().slave(host).last_exit
        journal = service.on(host, f"journalctl --unit={SLAVE} --since=-60s --no-pager --output=cat")
        assert f"the master (pid {before.pid}) said nothing for" in journal


def test_stopping_a_slave_stops_its_master_in_order_and_starting_it_brings_both_back(service: Service) -> None:
    with service.load() as load:
        leader = service.leader()
        before, slave = service.look().master(leader), service.look().slave(leader)
        service.on(leader, f"sudo systemctl stop {SLAVE}")
        assert not runs(service, leader, before.pid)
        assert not runs(service, leader, slave.pid)
        assert service.on(leader, f"systemctl show -P Result {SLAVE}").strip() == "success"
        assert service.leader() != leader
        load.goes_on()
        service.on(leader, f"sudo systemctl start {SLAVE}")
        waits_for_another(service, leader, before)


def test_a_slave_that_is_killed_while_it_stops_takes_its_master_along(service: Service) -> None:
    with service.load() as load:
        leader = service.leader()
        before, slave = service.look().master(leader), service.look().slave(leader)
        service.on(
            leader,
            f"""sudo systemctl stop --no-block {SLAVE}
            until [ "$(systemctl show -P SubState {SLAVE})" != running ]; do :; done
            until [ "$(systemctl show -P SubState {SLAVE})" = stop-sigterm ] || ! test -d /proc/{slave.pid}; do :; done
            sudo kill -KILL {slave.pid} && sudo systemctl stop {SLAVE}""",
        )
        assert service.on(leader, f"systemctl show -P Result {SLAVE}").strip() == "signal"
        assert not runs(service, leader, before.pid)
        load.goes_on()
        service.on(leader, f"sudo systemctl start {SLAVE}")
        waits_for_another(service, leader, before)


@pytest.fixture
def delayed_host(service: Service) -> Iterator[str]:
    """A standby whose slave waits before it restarts its master."""
    host = service.standby()
    edit = (
        "sudo sed -i -E 's/^(restart_delay_seconds = ).*/\\1{}/' {} && sudo systemctl kill --kill-whom=main -s KILL {}"
    )
    was = service.on(host, f"sed -n 's/^restart_delay_seconds = //p' {SLAVE_SETTINGS}").strip()
    service.on(host, edit.format(RESTART_DELAY_SECONDS, SLAVE_SETTINGS, SLAVE))
    service.until(lambda seen: seen.slave(host).adopted, f"another slave watches on {host}")
    yield host
    service.on(host, edit.format(was, SLAVE_SETTINGS, SLAVE))


def test_a_master_is_restarted_only_after_the_restart_delay(service: Service, delayed_host: str) -> None:
    with service.load() as load:
        before = service.look().master(delayed_host)
        killed_at = float(service.on(delayed_host, f"date +%s.%N && sudo kill -KILL {before.pid}"))
        waiting = service.until(lambda seen: not seen.slave(delayed_host).master_pid, "the slave waits")
        assert 0 < waiting.slave(delayed_host).next_start_in_seconds <= RESTART_DELAY_SECONDS
        load.goes_on()
        waits_for_another(service, delayed_host, before)
        started_at = service.look().master(delayed_host).started_unix_ns / 1e9
        assert started_at - killed_at >= RESTART_DELAY_SECONDS


# -- the router ------------------------------------------------------------------------------------------------------


def test_connected_clients_do_not_notice_the_death_of_the_router(service: Service) -> None:
    with service.load() as load:

        def check() -> None:
            leader, clients_went_to, before = service.leader(), load.traffic().masters, service.look()
            service.kill_unit("h1", ROUTER_UNIT)
            load.goes_on()
            after = service.until(
                lambda seen: seen.router.pid not in (0, before.router.pid) and not seen.status.troubles(),
                "another router knows all masters",
            )
            assert load.traffic().masters == clients_went_to
            assert after.master(leader).open_streams == before.master(leader).open_streams
            assert [identity(m) for m in after.status.masters] == [identity(m) for m in before.status.masters]

        in_one_term(service, check)
        service.on("h3", "sns login routed")  # whoever comes now is shown the way, too


def test_without_a_router_for_long_new_clients_get_in_and_connected_ones_notice_nothing(service: Service) -> None:
    with service.load() as load:

        def check() -> None:
            leader, clients_went_to, before = service.leader(), load.traffic().masters, service.look()
            service.on("h1", f"sudo systemctl stop {ROUTER_UNIT}")
            try:
                end = time.monotonic() + WITHOUT_ROUTER_SECONDS
                while time.monotonic() < end:
                    outcome, available = service.newcomer("newcomer")
                    assert outcome in ("DONE", "WELCOME_BACK")
                    assert set(available) == {MASTERS[leader]}
                    assert service.on("h3", "sns login newcomer") == "Welcome Back newcomer\n"
                    load.goes_on()
            finally:
                service.on("h1", f"sudo systemctl start {ROUTER_UNIT}")
            assert load.traffic().masters == clients_went_to
            assert service.look().master(leader).open_streams == before.master(leader).open_streams

        in_one_term(service, check)


# -- disks -----------------------------------------------------------------------------------------------------------


def test_a_master_whose_disk_stalls_gives_way_and_comes_back(service: Service) -> None:
    with service.load() as load:
        leader = service.leader()
        before = service.look().master(leader)
        service.on(leader, f"sudo fsfreeze -f {DATA}")
        try:
            service.until(lambda seen: seen.leader not in ("", leader), "another master leads")
            load.goes_on(posts=200)
            stalled = service.look().master(leader)
            assert not stalled.serving
        finally:
            service.on(leader, f"sudo fsfreeze -u {DATA}")
        back = service.until(lambda seen: seen.master(leader).serving, f"the master of {leader} serves again")
        assert identity(back.master(leader)) == identity(before)


def test_a_master_whose_disk_fills_up_gives_way_and_says_so(service: Service) -> None:
    """Nearly full, it follows; quite full, it writes nothing at all; with room again it serves again."""
    with service.load() as load:
        leader = service.leader()
        before = service.look().master(leader)
        try:
            fill(service, leader, leave_mb=40)
            service.until(lambda seen: seen.leader not in ("", leader), "another master leads")
            load.goes_on(posts=200)
            said = service.on("h2", "sns status 2>&1; echo status $?")
            assert f"{leader}: the disk of {DATA}/tinysns is nearly full" in said
            assert "make room on it" in said
            assert "status 3" in said

            fill(service, leader, leave_mb=0)
            service.until(lambda seen: "full" in words_about(seen, leader), "sns status says that the disk is full")
            load.goes_on(posts=200)
        finally:
            service.on(leader, f"sudo rm -f {FILLER}*")
        service.until(lambda seen: seen.master(leader).serving, f"the master of {leader} serves again")
        assert service.look().master(leader).incarnation >= before.incarnation


def fill(service: Service, host: str, *, leave_mb: int) -> None:
    """Leaves no more than this free on the data disk."""
    service.on(
        host,
        f"""free=$(df --output=avail -BM {DATA} | tail -1 | tr -dc 0-9)
        sudo fallocate -l $((free - {leave_mb} + 1))M {FILLER}-{leave_mb} ||
        sudo dd if=/dev/zero of={FILLER}-{leave_mb} bs=64K status=none || true""",
    )


def words_about(seen: Seen, host: str) -> str:
    return " ".join(trouble for trouble in seen.status.troubles() if host in trouble)


# -- power -----------------------------------------------------------------------------------------------------------


def test_the_service_goes_on_while_one_host_is_without_power(service: Service) -> None:
    with service.load() as load:
        leader = service.leader()
        service.power_cut(leader)
        try:
            service.until(lambda seen: seen.leader not in ("", leader), "another master leads")
            load.goes_on(posts=200)
        finally:
            service.boot(leader)


def test_everything_acknowledged_survives_a_power_cut_of_all_hosts(service: Service) -> None:
    with service.load() as load:
        cut_all_hosts(service)
        load.goes_on()


def cut_all_hosts(service: Service) -> None:
    """And boot them again."""
    try:
        service.power_cut(*HOSTS)
    finally:
        service.boot(*HOSTS)


# -- members that were away ------------------------------------------------------------------------------------------


def test_a_master_that_was_away_for_too_long_gets_a_snapshot_and_its_readers_see_no_gap(service: Service) -> None:
    away = "h4"
    with service.load(reads_from=away):
        service.on(away, f"sudo systemctl stop {SLAVE}")
        last = service.look().master(service.leader()).last_index
        try:
            with service.clients(flood=True):
                service.until(
                    lambda seen: seen.leader != "" and seen.master(seen.leader).first_index > last,
                    f"the leader has compacted its log past {last}",
                    seconds=300,
                )
        finally:
            service.on(away, f"sudo systemctl start {SLAVE}")
        service.until(
            lambda seen: seen.master(away).serving and seen.master(away).snapshots_installed == 1,
            f"the master of {away} got the state of another one and serves again",
        )


def test_a_standby_that_a_client_reaches_serves_it(service: Service) -> None:
    def check() -> None:
        standby = service.standby()
        before = service.look().master(standby)
        with service.load(reads_from=standby):
            reply, users = service.course(standby, "visitor")
            assert reply in ("Login Successful!", "Welcome Back visitor")
            assert "visitor" in users
        after = service.look().master(standby)
        assert after.forwarded_writes > before.forwarded_writes
        assert after.local_reads >= before.local_reads + 2  # the list, and the follower's timeline
        assert after.local_writes == before.local_writes

    in_one_term(service, check)


# -- people ----------------------------------------------------------------------------------------------------------


def test_a_person_can_look_into_it_over_ssh(service: Service) -> None:
    master = service.look().master("h2")
    unit = service.on("h2", f"systemctl status {SLAVE}")
    assert "active (running)" in unit
    assert "-m tinysns.master" in unit
    assert f"pid {master.pid}" in service.on("h2", f"journalctl -u {SLAVE}")
    state = f"sudo -u tinysns sh -c 'sqlite3 -readonly {DATA}/tinysns/state/*/sns.db \"select count(*) from users\"'"
    assert int(service.on("h2", state)) == master.users
    assert "leads" in service.on("h2", "sns status")


# -- the proof that the power-cut test can fail ------------------------------------------------------------------------


@pytest.fixture
def without_fsync(service: Service) -> Iterator[Service]:
    """A new cluster that never fsyncs its log, in place of the deployed one, which comes back with all its data."""
    built = json.loads(run(sys.executable, "scripts/build_release", f"--features={NO_FSYNC}", seconds=1500))
    site = f"/opt/tinysns/{built['id']}/site"
    found = f"sudo -u tinysns PYTHONPATH={site} PYTHONDONTWRITEBYTECODE=1 python3 -P -m tinysns.master found"
    service.on_all(f"test -e {site}/../zz-complete || sudo tar -x -C /opt", Path(built["archive"]))
    try:
        service.on_all(
            f"""set -e
            sudo mkdir -p {DROP_IN}
            printf '[Service]\\nEnvironment=PYTHONPATH={site}\\n' | sudo tee {DROP_IN}/no-fsync.conf
            sudo systemctl daemon-reload
            sudo systemctl stop {SLAVE}
            sudo mv {DATA}/tinysns {KEPT}
            sudo install -d -o tinysns -g tinysns -m 750 {DATA}/tinysns
            {found} --invite no-fsync /etc/tinysns/master.toml"""
        )
        service.on("h1", f"sudo systemctl restart {ROUTER_UNIT}")  # it refuses masters of another cluster
        service.on_all(f"{found} --confirm /etc/tinysns/master.toml && sync && sudo systemctl start {SLAVE}")
        yield service
    finally:
        bring_fsync_back(service)


def bring_fsync_back(service: Service) -> None:
    """Does nothing if nothing was changed."""
    if "changed" not in "".join(service.on(host, f"test -e {DROP_IN} && echo changed || true") for host in HOSTS):
        return
    service.on_all(
        f"""test -e {DROP_IN} || exit 0
        set -e
        sudo systemctl stop {SLAVE}
        if test -e {KEPT}; then sudo rm -rf {DATA}/tinysns; sudo mv {KEPT} {DATA}/tinysns; fi
        sudo rm -r {DROP_IN}
        sudo systemctl daemon-reload"""
    )
    service.on("h1", f"sudo systemctl restart {ROUTER_UNIT}")
    service.on_all(f"sudo systemctl start {SLAVE}")


def test_without_fsync_the_same_power_cut_loses_posts(without_fsync: Service) -> None:
    service = without_fsync
    service.until(lambda seen: all(m.serving and not m.fsync for m in seen.status.masters), "all serve, without fsync")
    assert "runs without fsync and loses data in a power cut" in service.on("h2", "sns status 2>&1 || true")
    with service.clients() as load:
        cut_all_hosts(service)
        acknowledged = load.traffic().acknowledged
        assert acknowledged
        assert missing(service, load, acknowledged)


def too_few_start(seen: Seen) -> bool:
    """Whether the masters of so many hosts refuse to start that the others are no quorum."""
    return sum(slave.last_exit == "exit status 2" for slave in seen.status.slaves) > (len(HOSTS) - 1) // 2


def missing(service: Service, load: Load, acknowledged: list[str]) -> list[str]:
    """The acknowledged posts that no master shows any more: all of them if the damaged members refuse to start."""
    seen = service.until(
        lambda seen: any(m.serving for m in seen.status.masters) or too_few_start(seen), "they serve, or never will"
    )
    if too_few_start(seen):
        assert "cannot be used, and must not vote" in service.explain()
        return acknowledged
    for host in HOSTS:
        if service.look().master(host).serving:
            with contextlib.suppress(Failed):  # the user is unknown: its login is lost, too
                found = set(service.history(host, load))
                acknowledged = [text for text in acknowledged if text not in found]
    return acknowledged
