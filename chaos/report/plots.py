"""The time line of a run as one picture: throughput, write gaps and delivery gaps, with every fault marked."""

import io
from collections.abc import Sequence
from itertools import pairwise

import matplotlib

matplotlib.use("svg")  # no display

import numpy
from matplotlib import pyplot
from matplotlib.axes import Axes

from chaos.checks.verdict import Verdict
from chaos.report.run import Run

COLOURS = {"available": "#c0392b", "standby": "#d68910", "slave": "#7d3c98", "router": "#2471a3"}
_OTHER = "#566573"
_BIN_SECONDS = 0.1
_LEAST_GAP_MS = 1.0
_MOST_POINTS = 4000  # of one client: the longest gaps; the picture stays small


def timeline_svg(run: Run, verdict: Verdict) -> str:
    """An <svg> element."""
    pyplot.rcParams.update(
        {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "chaos"}
    )
    figure, (rate, writes, timelines) = pyplot.subplots(
        3, 1, sharex=True, figsize=(12, 7.6), height_ratios=(2, 3, 3), layout="constrained"
    )
    acknowledged = [sorted(run.seconds(w.answered_ns) for w in writer.acknowledged) for writer in run.writers]
    deliveries = [[run.seconds(d.at_ns) for d in reader.deliveries] for reader in run.readers if reader.live]
    end = max((times[-1] for times in (*acknowledged, *deliveries) if times), default=1.0)
    _rate(rate, [at for times in acknowledged for at in times], end)
    _gaps(writes, acknowledged, "between two acknowledgements\nof one writer, ms")
    _gaps(timelines, deliveries, "between two deliveries\nto one follower, ms")
    for axes in (rate, writes, timelines):
        _faults(axes, run, verdict)
        axes.set_xlim(0, end)
        axes.grid(True, axis="y", color="#e5e8e8", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    _names(rate, run, verdict)
    timelines.set_xlabel("seconds since the clients began")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    text = file.getvalue()
    return text[text.index("<svg") :]


def _rate(axes: Axes, acknowledged: Sequence[float], end: float) -> None:
    bins = numpy.arange(0, end + _BIN_SECONDS, _BIN_SECONDS)
    counts, edges = numpy.histogram(numpy.asarray(acknowledged), bins=bins)
    axes.fill_between(edges[:-1], counts / _BIN_SECONDS, step="post", color="#aed6c1", linewidth=0)
    axes.step(edges[:-1], counts / _BIN_SECONDS, where="post", color="#1e8449", linewidth=0.7)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("acknowledged\nposts/s")


def _gaps(axes: Axes, clients: Sequence[Sequence[float]], label: str) -> None:
    for times in clients:
        gaps = ((b, (b - a) * 1000) for a, b in pairwise(times))
        shown = sorted((gap for gap in gaps if gap[1] >= _LEAST_GAP_MS), key=lambda gap: -gap[1])[:_MOST_POINTS]
        axes.scatter(
            [at for at, _ in shown], [gap for _, gap in shown], s=3, alpha=0.45, linewidths=0, color="#34495e",
            rasterized=True,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(bottom=_LEAST_GAP_MS)
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.set_ylabel(label)


def _faults(axes: Axes, run: Run, verdict: Verdict) -> None:
    """A line at each fault, and a shade until the victim was seen back."""
    for judged in verdict.faults:
        fault = judged.fault
        at, colour = run.seconds(fault.asked_ns), COLOURS.get(fault.target, _OTHER)
        back = run.seconds(fault.recovered_ns or judged.window.end_ns)
        axes.axvspan(at, back, color=colour, alpha=0.10, linewidth=0)
        axes.axvline(at, color=colour, linewidth=1)


def _names(axes: Axes, run: Run, verdict: Verdict) -> None:
    for judged in verdict.faults:
        fault = judged.fault
        axes.annotate(
            f"{fault.kind} {fault.target}\n{fault.host}",
            (run.seconds(fault.asked_ns), 1.02),
            xycoords=("data", "axes fraction"),
            fontsize=7,
            rotation=40,
            color=COLOURS.get(fault.target, _OTHER),
            annotation_clip=False,
        )
