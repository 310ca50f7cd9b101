"""An emulator of WeChat for the demo and the tests (wechat-protocol.md). Imports nothing of the service."""
