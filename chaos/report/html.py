"""report.html: the run for people, in one file that needs no other."""

from importlib.resources import files

import jinja2
from markupsafe import Markup

from chaos.checks.summary import summarise
from chaos.checks.verdict import LEAST_POSTS_PER_SECOND, Verdict, Word
from chaos.report.plots import COLOURS, timeline_svg
from chaos.report.run import Run, downtimes

_SENTENCES = {
    Word.PASS: "Every acknowledged post arrived once and in order at every reader, and every killed process came back.",
    Word.FAIL: "The service broke a promise.",
    Word.NO_VERDICT: "This run saw too little to judge the service. It is not a pass.",
}


def write_html(run: Run, verdict: Verdict) -> None:
    """Everything in it comes from the run directory; text is escaped."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files("chaos.report") / "report.html.j2").read_text(encoding="utf-8"))
    html = template.render(
        run=run,
        record=run.record,
        plan=run.plan,
        verdict=verdict,
        sentence=_SENTENCES[verdict.word],
        downtimes=downtimes(verdict),
        calm=summarise([judged.calm_ms for judged in verdict.faults]) if verdict.faults else None,
        colours=COLOURS,
        least_posts_per_second=LEAST_POSTS_PER_SECOND,
        timeline=Markup(timeline_svg(run, verdict)),
    )
    (run.folder / "report.html").write_text(html, encoding="utf-8")
