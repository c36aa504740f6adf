"""junit.xml: the run for a CI server; one test for each fault, one for the posts, one for the run as a whole."""

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from chaos.checks.verdict import Verdict, Word
from chaos.report.run import Run


def write_junit(run: Run, verdict: Verdict) -> None:
    """A run without a verdict is an error, not a failure and not a pass."""
    suite = TestSuite("chaos")
    for judged in verdict.faults:
        fault = judged.fault
        case = TestCase(f"window {fault.window}: {fault.kind} of {fault.target} on {fault.host}", "chaos.faults")
        case.time = judged.writes_ms / 1000
        if fault.trouble:
            case.result = [Failure(fault.trouble)]
        suite.add_testcase(case)
    posts = TestCase("every acknowledged post arrived exactly once and in order", "chaos.checks")
    if not verdict.delivered.right:
        posts.result = [Failure("; ".join(verdict.reasons))]
    suite.add_testcase(posts)
    whole = TestCase("verdict", "chaos")
    if verdict.word is Word.FAIL:
        whole.result = [Failure("; ".join(verdict.reasons))]
    elif verdict.word is Word.NO_VERDICT:
        whole.result = [Error("; ".join(verdict.reasons))]
    suite.add_testcase(whole)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.write(str(run.folder / "junit.xml"), pretty=True)
