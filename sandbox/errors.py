"""Errors: WeChat's errcodes for services, plain messages for the control API."""

import secrets
from typing import Final

STEMS: Final = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40008: "invalid message type",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40052: "invalid action name",
    40053: "invalid action info",
    40097: "invalid args",
    40125: "invalid appsecret",
    40163: "code been used",
    40169: "invalid length for scene, or the data is not json string",
    40226: "code blocked",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41003: "refresh_token missing",
    41008: "missing code",
    41009: "missing openid",
    41030: "invalid page",
    42001: "access_token expired",
    42002: "refresh_token expired",
    42003: "code expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    44004: "empty content",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45029: "qrcode count out of limit",
    45047: "out of response count limit",
    47001: "data format error",
    48001: "api unauthorized",
    48006: "forbid to clear quota because of reaching the limit",
    60020: "not allow to access from your ip",
    63178: "appid wrong",
}
"""errcode -> the beginning of its errmsg (wechat-protocol.md 1, 2, 4, 5, 7, 8, 11)."""


class Refused(Exception):
    """WeChat rejects the call; `errcode` is a key of `STEMS`."""

    def __init__(self, errcode: int) -> None:
        super().__init__(f"{errcode} {STEMS[errcode]}")
        self.errcode = errcode

    def body(self) -> dict[str, object]:
        """Return the JSON of the response. Its rid is unique (wechat-protocol.md, conventions)."""
        rid = "-".join(secrets.token_hex(4) for _ in range(3))
        return {"errcode": self.errcode, "errmsg": f"{STEMS[self.errcode]} rid: {rid}"}


class Unknown(Exception):
    """The user, account, QR code or link does not exist."""


class Impossible(Exception):
    """WeChat does not allow this action in the current state."""
