"""Request and response bodies of accounts."""

from typing import Annotated

from pydantic import BaseModel, Field

from handlers.http.schemas import RequestBody
from service.wechat.tokens import LONGEST_TOKEN


class AccessToken(BaseModel):
    """An account's access token, for calls to WeChat's API."""

    access_token: str
    expires_in: Annotated[
        int, Field(ge=1, description="Seconds for which WeChat certainly accepts it, unless it is revoked.")
    ]


class RefusedToken(RequestBody):
    access_token: Annotated[
        str, Field(min_length=1, max_length=LONGEST_TOKEN, description="The token that WeChat refused.")
    ]
