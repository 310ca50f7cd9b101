"""Benchmarks, each a command: `python -m bench.poll`, `callback`, `create`, `login`, `scale`, `waiters`.

Each measures the service and its baselines in turn, on the same machine and under the same load; the results are
their ratios. No figure makes a run fail, except in `bench.compare` (docs/benchmarks.md).
"""
