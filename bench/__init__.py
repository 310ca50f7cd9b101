"""Benchmarks, each a command: `python -m bench.poll`, `bench.callback`, `bench.waiters`.

Each run measures the service and a bare aiohttp handler in turn, on the same machine and under the same load; the
result is their ratio. No figure makes a run fail (docs/benchmarks.md).
"""
