"""Rules for all tests."""

import os
import signal
from collections.abc import Generator

import pytest

# A shell's background jobs ignore it, and hand that down to every process that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must have been tried (CI=true), a test of the lab that skips itself has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and item.get_closest_marker("lab") is not None:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI=true, and no test of the lab may be skipped there: {why}"
    return report
