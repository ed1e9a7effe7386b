"""Programs that measure; what they measured is in docs/benchmarks.md."""
