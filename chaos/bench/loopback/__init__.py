"""Benchmarks of a whole service on loopback, with the yardsticks of the machine; `make bench-loopback`."""
