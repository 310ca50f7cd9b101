"""What must stay fast, each a command: `python -m bench.poll`, `bench.callback`, `bench.waiters`.

One rule: no figure stands alone. Each run measures the service and a bare aiohttp handler in turn, on the same
machine, under the same load; how they compare is what counts. No figure fails a run (docs/benchmarks.md).
"""
