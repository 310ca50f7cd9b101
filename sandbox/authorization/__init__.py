"""WeChat's web authorization: logins at websites, and pages opened inside WeChat (wechat-protocol.md 5, 6)."""
