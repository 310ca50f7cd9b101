"""The endpoints of accounts (contract.md 9)."""

from typing import Final

from handlers.accounts import access_token, schemas
from handlers.http.authentication import CLIENT
from handlers.http.operation import NAME, Answer, Operation, in_path, json_body
from models import errors

_TAG: Final = "accounts"
_ACCESS_TOKEN: Final = "/v1/accounts/{account}/access-token"  # noqa: S105 - an address
_ACCOUNT: Final = in_path("account", NAME, "The name of the account.")
_REFUSES: Final = (errors.Forbidden, errors.NotFound, errors.WeChatUnavailable)

OPERATIONS: Final = (
    Operation(
        *(_TAG, "readAccessToken", "GET", _ACCESS_TOKEN, access_token.read),
        caller=CLIENT,
        parameters=(_ACCOUNT,),
        answers={200: json_body("The current access token.", schemas.AccessToken)},
        refuses=_REFUSES,
        head=False,
    ),
    Operation(
        *(_TAG, "reportAccessToken", "POST", f"{_ACCESS_TOKEN}/invalid", access_token.report),
        caller=CLIENT,
        body=schemas.RefusedToken,
        parameters=(_ACCOUNT,),
        answers={204: Answer("Another one is current, or this one was asked for again.")},
        refuses=_REFUSES,
    ),
)
