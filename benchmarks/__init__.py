"""Benchmarks: ours beside a peer's from the same run, as ratios. Run with ``make bench``."""
