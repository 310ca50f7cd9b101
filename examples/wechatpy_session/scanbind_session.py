"""Lets a program that uses wechatpy take its access token from scanbind (docs/contract.md 9).

    client = ScanbindClient("wx…", ScanbindSession("https://login.example", "shop", "password", account="main"))

The program needs no AppSecret and fetches no token of its own.
"""

import time
from typing import Any

import requests
from wechatpy import WeChatClient
from wechatpy.constants import WeChatErrorCode
from wechatpy.exceptions import WeChatClientException
from wechatpy.session.memorystorage import MemoryStorage

REFUSED = (
    WeChatErrorCode.INVALID_CREDENTIAL.value,
    WeChatErrorCode.INVALID_ACCESS_TOKEN.value,
    WeChatErrorCode.EXPIRED_ACCESS_TOKEN.value,
)
"""What WeChat answers to a token that has ended: 40001, 40014, 42001."""


class ScanbindSession(MemoryStorage):
    """The access token of one account, from scanbind. Other values, such as JS tickets, are kept in memory.

    Its methods raise requests.RequestException if scanbind gives no token.
    """

    def __init__(
        self, url: str, client_id: str, secret: str, *, account: str = "main", timeout: float = 10
    ) -> None:
        super().__init__()
        self._url = f"{url.rstrip('/')}/v1/accounts/{account}/access-token"
        self._auth = (client_id, secret)
        self._timeout = timeout
        self._token, self._until = "", 0.0

    def get(self, key: str, default: Any = None) -> Any:
        """Return the access token, asking scanbind for it when its time is over; or another value."""
        if not _is_access_token(key):
            return super().get(key, default)
        if time.monotonic() >= self._until:
            began, told = time.monotonic(), self._call("GET").json()
            self._token, self._until = told["access_token"], began + told["expires_in"]
        return self._token

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store a value, unless it is an access token: that comes from scanbind alone.

        Raises:
            TypeError: it is one. Then WeChatClient has fetched it, and would repeat its call with the refused one.
        """
        if _is_access_token(key):
            raise TypeError("an access token was fetched elsewhere: use ScanbindClient instead of WeChatClient")
        super().set(key, value, ttl)

    def replace(self, refused: str) -> None:
        """Report a token that WeChat refused; the next `get` asks for the current one."""
        self._call("POST", "/invalid", json={"access_token": refused})
        self._until = 0.0

    def _call(self, method: str, path: str = "", **body: Any) -> requests.Response:
        answer = requests.request(
            method, self._url + path, auth=self._auth, timeout=self._timeout, allow_redirects=False, **body
        )
        answer.raise_for_status()
        return answer


class ScanbindClient(WeChatClient):
    """wechatpy's client; if WeChat refuses the token, the call is repeated once, with another from scanbind.

    WeChatClient would fetch a token with the program's AppSecret, and repeat a call without end.
    """

    def __init__(self, appid: str, session: ScanbindSession, timeout: float | None = None) -> None:
        super().__init__(appid, None, session=session, timeout=timeout, auto_retry=False)

    def fetch_access_token(self) -> dict[str, str]:
        """Ask scanbind for another token in place of the current one; return it."""
        self.session.replace(self.access_token)
        return {"access_token": self.access_token}

    def _request(self, method: str, url_or_endpoint: str, **kwargs: Any) -> Any:
        params = {"access_token": self.access_token, **(kwargs.pop("params", None) or {})}
        try:
            return super()._request(method, url_or_endpoint, params=params, **kwargs)
        except WeChatClientException as refusal:
            if refusal.errcode not in REFUSED:
                raise
        self.session.replace(params["access_token"])
        params["access_token"] = self.access_token
        return super()._request(method, url_or_endpoint, params=params, **kwargs)


def _is_access_token(key: str) -> bool:
    return key.endswith("_access_token")
