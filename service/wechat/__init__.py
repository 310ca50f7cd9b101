"""The WeChat side: bytes in, events out; outcomes in, replies out. The rest of the service speaks no WeChat."""
