"""Programs that measure, run by hand; what they measured is in docs/benchmarks.md."""
