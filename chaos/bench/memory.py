"""idle_master_mib: what each master holds in memory while nobody does anything."""

from collections.abc import Callable
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.cluster import look
from chaos.inventory import Inventory


def idle_master(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """One value for each master."""
    views = look(inventory).masters
    say("resident: " + ", ".join(f"{view.host.name} {view.resident_bytes / 2**20:.0f} MiB" for view in views))
    return [Measure("idle_master_mib", "MiB", [view.resident_bytes / 2**20 for view in views])]
