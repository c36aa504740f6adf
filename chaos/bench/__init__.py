"""Benchmarks of a deployed cluster, as its clients see it; `python -m chaos.bench`, which `make bench` calls."""
