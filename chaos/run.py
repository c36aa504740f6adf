"""A run: traffic on, one fault per window, traffic off, a fresh read of everything. Judged later, from the files."""

import contextlib
import dataclasses
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from chaos import history
from chaos.cluster import look, routing_policy
from chaos.errors import CannotRun
from chaos.faults import FAULTS, Fault, NotNow
from chaos.hosts import Deadline, RemoteError, Remotes, wait_until
from chaos.inventory import Inventory
from chaos.plan import Plan, Step
from chaos.record import FaultRecord, RunRecorder
from chaos.traffic.processes import Load, Traffic
from chaos.traffic.reread import reread

# The probes of the runner cost CPU time on the machine of the clients; they must not disturb what they are there for.
_QUIET_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 0.25

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chooses."""

    plan: Plan
    load: Load = field(default_factory=Load)
    recover_seconds: float = 30.0  # a process that is not back by then never came back
    healthy_seconds: float = 30.0  # how long to wait for a healthy cluster before each fault


def new_folder(parent: Path) -> Path:
    """An empty run directory, named by the time."""
    folder = parent / datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        folder.mkdir(parents=True)
    except OSError as e:
        raise CannotRun(f"cannot make the run directory {folder}: {e.strerror}") from e
    return folder


def run(inventory: Inventory, options: Options, folder: Path, say: Say) -> None:
    """Fills `folder`. Raises CannotRun before anything was done; an interrupt ends the run in order."""
    for step in options.plan.steps:
        if why := _fault(step).available(inventory):
            raise CannotRun(f"{step.kind} of {step.target} is not possible here: {why}")
    with contextlib.ExitStack() as stack:
        remotes = stack.enter_context(Remotes(inventory))
        _check_healthy(inventory, options.healthy_seconds)
        name = f"chaos-{folder.name}"
        traffic = stack.enter_context(Traffic(folder, name, inventory.router_addresses, options.load))
        recorder = RunRecorder(folder)
        stack.callback(recorder.close)
        _write_start(recorder, inventory, name)
        (folder / "plan.json").write_text(options.plan.to_json() + "\n")
        say(f"clients: {options.load.writers} writers, {options.load.followers} followers; report in {folder}")
        traffic.start()
        recorder.write("traffic")
        try:
            for number, step in enumerate(options.plan.steps, 1):
                _Window(number, step, inventory, options, remotes, recorder, say).run()
        except KeyboardInterrupt:
            recorder.write("trouble", sentence="it was interrupted")
            say("interrupted: stopping the clients, then the report")
        recorder.write("traffic over")
        _finish(inventory, traffic, folder, recorder, say)


def _fault(step: Step) -> Fault:
    try:
        return FAULTS[step.kind, step.target]
    except KeyError:
        known = ", ".join(f"{kind} of {target}" for kind, target in FAULTS)
        raise CannotRun(
            f"the plan holds a {step.kind} of {step.target}, which is not known; there are: {known}"
        ) from None


def _check_healthy(inventory: Inventory, seconds: float) -> None:
    try:
        wait_until(lambda: "; ".join(look(inventory).ailments()), seconds, every_seconds=_LOOK_EVERY_SECONDS)
    except Deadline as e:
        raise CannotRun(f"the cluster is not healthy {e}; deploy first (ansible-playbook deploy.yml)") from e


def _write_start(recorder: RunRecorder, inventory: Inventory, name: str) -> None:
    available = look(inventory).available
    recorder.write(
        "started",
        run=name,
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        inventory=str(inventory.path),
        hosts=len(inventory.hosts),
        masters=" ".join(host.name for host in inventory.masters),
        policy=routing_policy(inventory),
        revision=_revision(),
        release=available.release if available else "",
        command=shlex.join(("sns-chaos", *sys.argv[1:])),
    )


def _revision() -> str:
    """Of the clone that the runner stands in; empty outside one."""
    try:
        done = subprocess.run(("git", "describe", "--always", "--dirty"), capture_output=True, text=True)
    except OSError:
        return ""  # no git: the release hash still says what was tested
    return done.stdout.strip()


@dataclass(slots=True)
class _Window:
    """One window with its fault."""

    number: int
    step: Step
    inventory: Inventory
    options: Options
    remotes: Remotes
    recorder: RunRecorder
    say: Say

    def run(self) -> None:
        begin = time.monotonic()
        seconds = self.options.plan.window_seconds
        self.recorder.write("window", number=self.number)
        try:
            fault = self._inject(begin + seconds * self.step.offset)
        except (NotNow, RemoteError, Deadline) as e:
            fault = FaultRecord(self.number, self.step.kind, self.step.target, trouble=str(e))
        self.recorder.fault(fault)
        self.say(_line(self.number, self.options.plan, fault))
        _pause_until(begin + seconds)
        self.recorder.write("window over", number=self.number)

    def _inject(self, at: float) -> FaultRecord:
        fault, inventory = _fault(self.step), self.inventory
        wait_until(lambda: "; ".join(look(inventory).ailments()), self.options.healthy_seconds)
        _pause_until(at)
        victim = fault.choose(look(inventory), self.step.choice)
        injection = fault.inject(self.remotes, victim)
        record = FaultRecord(
            window=self.number,
            kind=fault.kind,
            target=fault.target,
            host=victim.host,
            asked_ns=injection.asked_ns,
            done_ns=injection.done_ns,
            host_clock=injection.host_clock,
            before=victim.before,
        )
        self.recorder.fault(record)
        _pause_until(time.monotonic() + _QUIET_SECONDS)
        try:
            wait_until(
                lambda: fault.missing(look(inventory), victim),
                self.options.recover_seconds,
                every_seconds=_LOOK_EVERY_SECONDS,
            )
        except Deadline as e:
            return dataclasses.replace(record, trouble=str(e))
        cluster = look(inventory)
        return dataclasses.replace(
            record,
            recovered_ns=time.monotonic_ns(),
            after=fault.after(cluster, victim),
            trouble=fault.harm(cluster, victim),
        )


def _line(number: int, plan: Plan, fault: FaultRecord) -> str:
    where = f"window {number} of {len(plan.steps)}: {fault.kind} of {fault.target}"
    if not fault.asked_ns:
        return f"{where} was not injected: {fault.trouble}"
    pids = f"pid {fault.before.pid} -> {fault.after.pid}"
    return f"{where} on {fault.host}, {fault.trouble or pids + ', all back'}"


def _pause_until(at: float) -> None:
    """The windows' own pace; nothing is waited for."""
    time.sleep(max(0.0, at - time.monotonic()))


def _finish(inventory: Inventory, traffic: Traffic, folder: Path, recorder: RunRecorder, say: Say) -> None:
    say("clients stop; the last answers and deliveries come in")
    troubles = traffic.stop_writers()
    writers, _ = history.read_all(folder)
    last = max((write.position for writer in writers for write in writer.acknowledged), default=0)
    troubles += traffic.stop_followers(last)
    for host in inventory.masters:
        say(f"fresh read of the whole timeline on {host.name}")
        reader = history.Recorder(folder / "history" / f"reread-{host.name}.jsonl")
        trouble = reread(inventory.router_addresses, traffic.users[0], host.master, reader)
        if trouble:
            troubles.append(f"{host.name} could not be read: {trouble}")
        else:
            recorder.write("reread", host=host.name)
    for trouble in troubles:
        recorder.write("trouble", sentence=trouble)
    recorder.write("finished")
