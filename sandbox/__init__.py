"""A WeChat of our own, after PROTOCOL.md: for the demo and for tests. Imports nothing of the service."""
