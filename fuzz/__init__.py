"""Inputs nobody would think of, sent through the whole service: `make fuzz`. Only WeChat's API is emulated.

`python -m fuzz.callback`, `fuzz.tickets` and `fuzz.bodies` are the doors that strangers reach. Each run is one
request through the real application on real stores, and is judged: see `fuzz.judge`.
"""
