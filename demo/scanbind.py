"""All a site's back end needs of scanbind: five calls over one HTTP session. Knows the public contract alone."""

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

TIMEOUT: Final = ClientTimeout(total=10)

Json = dict[str, Any]


class ScanbindError(Exception):
    """scanbind refused, or did not answer. `slug` ends the problem's type; `reason` comes with a conflict."""

    def __init__(self, slug: str, *, reason: str | None = None) -> None:
        super().__init__(slug)
        self.slug = slug
        self.reason = reason


class Scanbind:
    """The back-end half of the contract, for one client. Every method may raise `ScanbindError`."""

    def __init__(self, http: ClientSession, *, url: str, client_id: str, client_secret: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}"}

    async def create_ticket(self, purpose: str, **fields: Any) -> Json:
        """Start a ticket (contract 4); *fields* are those of its purpose."""
        return await self._call("POST", "/v1/tickets", json={"purpose": purpose, **fields})

    async def exchange(self, code: str) -> Json:
        """Return what a confirmed login ticket's code stands for; works once."""
        return await self._call("POST", "/v1/exchange", json={"code": code})

    async def bind(self, user_id: str, *, registration: str) -> Json:
        """Give *user_id* the WeChat behind a registration and return the binding."""
        return await self._call("POST", "/v1/bindings", json={"user_id": user_id, "registration": registration})

    async def bindings(self, user_id: str) -> list[Json]:
        """Return the WeChats of *user_id*, none being an empty list."""
        answer = await self._call("GET", _path(user_id))
        return list(answer["bindings"])

    async def disconnect(self, user_id: str, *, account: str) -> None:
        """Part *user_id* from the WeChat bound through *account*."""
        await self._call("DELETE", f"{_path(user_id)}?account={quote(account, safe='')}")

    async def _call(self, method: str, path: str, *, json: Mapping[str, Any] | None = None) -> Json:
        try:
            async with self._http.request(
                method,
                self._url + path,
                json=json,
                headers=self._headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                return await _read(response)
        except (ClientError, TimeoutError, ValueError) as e:
            raise ScanbindError("unreachable") from e


def _path(user_id: str) -> str:
    return f"/v1/bindings/{quote(user_id, safe='')}"


async def _read(response: ClientResponse) -> Json:
    if response.status == HTTPStatus.NO_CONTENT:
        return {}
    body = await response.json(content_type=None)
    if not isinstance(body, dict):
        raise ValueError("not what scanbind says: something else answered")  # noqa: TRY004 - as any bad body
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise ScanbindError(str(body.get("type")).rpartition("/")[2], reason=body.get("reason"))
    return body
