"""A WeCom of our own: enterprises, their members and outsiders, logins with WeCom (wechat-protocol.md 7)."""
