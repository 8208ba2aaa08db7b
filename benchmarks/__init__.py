"""Measured numbers: `make bench`, or `python -m benchmarks --help`. See docs/benchmarks.md."""
