"""A WeChat of our own, after wechat-protocol.md: for the demo and for tests. Imports nothing of the service."""
