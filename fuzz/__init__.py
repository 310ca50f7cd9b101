"""Fuzzes the HTTP endpoints of the whole service: `make fuzz`. Only WeChat's API is emulated.

`python -m fuzz.callback`, `fuzz.tickets` and `fuzz.bodies` are the targets. Each run sends one request through the
real application on real stores, and checks the response, the log and the writes to the stores (`fuzz.target`).
`fuzz.pictures` fuzzes the encoding of profile pictures, and `fuzz.sealed_calls` sealed calls, without a service.
"""
