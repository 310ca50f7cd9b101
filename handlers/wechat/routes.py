"""The endpoint that WeChat calls, for each account (contract.md 6)."""

from collections.abc import Mapping
from typing import Final

from handlers.http.operation import (
    JSON,
    NAME,
    TEXT,
    Answer,
    Operation,
    Parameter,
    Schema,
    in_path,
    in_query,
    text,
)
from handlers.wechat import callback
from models import errors

_TAG: Final = "callback"
_PATH: Final = "/wechat/{account}"
_ACCOUNT: Final = in_path("account", NAME, "The account's name in the configuration.")
_PUSH: Final[Schema] = {**text(64 * 1024), "description": "A push in WeChat's format."}
_QUERY: Final[Mapping[str, Schema]] = {
    "signature": text(40, "[0-9a-f]{40}"),
    "timestamp": text(10, "[0-9]+"),
    "nonce": text(64),
    "echostr": text(1024),
    "encrypt_type": text(16),
    "msg_signature": text(40, "[0-9a-f]{40}"),
    "openid": text(64),
}
_REFUSED: Final = (errors.BadSignature, errors.NotFound, errors.RateLimited)


def _signed(*names: str) -> tuple[Parameter, ...]:
    """Return the path parameter and the query parameters *names* (wechat-protocol.md 3)."""
    return (_ACCOUNT, *(in_query(name, _QUERY[name], "As WeChat sends it.") for name in names))


OPERATIONS: Final = (
    Operation(
        *(_TAG, "verifyCallback", "GET", _PATH, callback.verify),
        parameters=_signed("signature", "timestamp", "nonce", "echostr"),
        answers={200: Answer("The echostr.", {"text/plain": TEXT})},
        refuses=_REFUSED,
        head=False,
        slash=True,
        repeats=True,
    ),
    Operation(
        *(_TAG, "receivePush", "POST", _PATH, callback.receive),
        parameters=_signed("signature", "timestamp", "nonce", "encrypt_type", "msg_signature", "openid"),
        raw_body={"text/xml": _PUSH, JSON: _PUSH},
        answers={
            200: Answer(
                "The effect is committed. `success`, or a reply in the push's own format and encryption.",
                {"text/plain": TEXT, "application/xml": TEXT, JSON: {"type": "object"}},
            ),
        },
        refuses=(*_REFUSED, errors.PayloadTooLarge, errors.UnsupportedMediaType, errors.StoreUnavailable),
        slash=True,
        repeats=True,  # a repeated parameter is a wrong signature
    ),
)
