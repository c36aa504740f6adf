"""Reports: what was judged, as files for people and programs, made from the run directory alone."""

from chaos.report.build import build, publish

__all__ = ["build", "publish"]
