"""Faults, each a class of its own; `FAULTS` is the registry: (kind, target) -> fault."""

from chaos.faults.base import Fault, Injection, NotNow, Process, Victim
from chaos.faults.kill import Kill, Target

__all__ = ["FAULTS", "Fault", "Injection", "NotNow", "Process", "Victim"]

FAULTS: dict[tuple[str, str], Fault] = {("kill", target): Kill(target) for target in Target}
