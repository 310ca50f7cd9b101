"""The endpoint of sealed calls (contract.md 9)."""

from typing import Final

from aiohttp import web

from handlers.http import patterns
from handlers.http.authentication import JOSE, SEAL
from handlers.http.operation import Answer, Operation, Schema, text
from handlers.sealed_calls import sealed_calls
from models import errors

_CALL: Final[Schema] = {
    **text(64 * 1024, patterns.SEALED),
    "description": "A compact JWE (`alg: dir`, `enc: A256GCM`, `kid`: the client's id) by its `sealing_key`. "
    "It contains the JSON `iat`, `jti`, `method`, `path`, `query`, `body`.",
}
_ANSWER: Final = {JOSE: {**text(1024 * 1024, patterns.SEALED), "description": "The JSON `jti`, `body`."}}

OPERATIONS: Final = (
    Operation(
        *("sealed_calls", "callSealed", "POST", "/v1/sealed", sealed_calls.call),
        caller=SEAL,
        raw_body={JOSE: _CALL},
        answers={
            200: Answer("The call's answer, sealed.", _ANSWER),
            201: Answer("The same.", _ANSWER),
            204: Answer("The call's answer, which has no body."),
        },
        refuses=(
            errors.InvalidCode,
            errors.NotFound,
            errors.BindingNotFound,
            web.HTTPMethodNotAllowed,
            errors.AccountNotConfigured,
            errors.BindingConflict,
            errors.PayloadTooLarge,
            errors.UnsupportedMediaType,
            errors.WeChatUnavailable,
        ),
    ),
)
