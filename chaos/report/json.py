"""report.json: the run for programs."""

import json
from dataclasses import asdict

from chaos.checks.delivery import Finding
from chaos.checks.summary import summarise
from chaos.checks.verdict import JudgedFault, Verdict
from chaos.report.run import Run, downtimes

_MOST_FINDINGS = 100


def write_json(run: Run, verdict: Verdict) -> None:
    """`downtime_ms` is of writes, `timeline_downtime_ms` of timelines; `calm_ms` is of writes without a fault."""
    record, delivered = run.record, verdict.delivered
    found = downtimes(verdict)
    report = {
        "verdict": str(verdict.word),
        "reasons": verdict.reasons,
        "acknowledged": delivered.acknowledged,
        "lost": len(delivered.lost),
        "duplicated": len(delivered.duplicated),
        "out_of_order": len(delivered.disordered),
        "invented": len(delivered.invented),
        "faults": [_fault(run, judged) for judged in verdict.faults],
        "downtime_ms": {target: asdict(downtime.writes) for target, downtime in found.items()},
        "timeline_downtime_ms": {target: asdict(downtime.timeline) for target, downtime in found.items()},
        "calm_ms": asdict(summarise([judged.calm_ms for judged in verdict.faults])) if verdict.faults else None,
        "writers": [
            {"name": w.name, "author": w.author, "attempted": len(w.writes), "acknowledged": len(w.acknowledged)}
            for w in run.writers
        ],
        "readers": [
            {"name": r.name, "live": r.live, "received": len(r.deliveries), "ended": r.ended, "trouble": r.trouble}
            for r in run.readers
        ],
        "findings": {
            "lost": _findings(delivered.lost),
            "duplicated": _findings(delivered.duplicated),
            "out_of_order": _findings(delivered.disordered),
            "invented": _findings(delivered.invented),
        },
        "run": record.run,
        "started": record.started,
        "seconds": round(run.seconds(record.ended_ns), 3) if record.ended_ns else None,
        "inventory": record.inventory,
        "hosts": record.hosts,
        "policy": record.policy,
        "revision": record.revision,
        "release": record.release,
        "command": record.command,
        "plan": asdict(run.plan),
    }
    (run.folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")


def _fault(run: Run, judged: JudgedFault) -> dict[str, object]:
    fault = judged.fault
    return {
        "kind": fault.kind,
        "target": fault.target,
        "host": fault.host,
        "at_seconds": round(run.seconds(fault.asked_ns), 3),
        "downtime_ms": {"writes": round(judged.writes_ms, 3), "timeline": round(judged.timeline_ms, 3)},
        "calm_ms": round(judged.calm_ms, 3),
        "window": fault.window,
        "window_seconds": {
            "begin": round(run.seconds(judged.window.begin_ns), 3),
            "end": round(run.seconds(judged.window.end_ns), 3),
        },
        "posts_per_second": round(judged.posts_per_second, 1),
        "seen_back_after_seconds": round((fault.recovered_ns - fault.asked_ns) / 1e9, 3)
        if fault.recovered_ns
        else None,
        "host_clock": fault.host_clock,
        "proof": {"before": asdict(fault.before), "after": asdict(fault.after)},
        "trouble": fault.trouble,
    }


def _findings(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    return [asdict(finding) for finding in findings[:_MOST_FINDINGS]]
