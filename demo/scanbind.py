"""Calls scanbind's API for one client. A shop has one; the demo shop has one for each kind of account to show."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, encode_basic_auth


@dataclass(frozen=True, slots=True)
class Client:
    """What scanbind's configuration calls the shop, and the secret there."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Scanbind:
    url: str
    client: Client

    async def ask(self, method: str, path: str, /, **body: object) -> Any:
        """Call scanbind's API and return the JSON; None when it refuses or cannot be reached."""
        headers = {"Authorization": encode_basic_auth(self.client.id, self.client.secret)}
        try:
            async with ClientSession(headers=headers, timeout=ClientTimeout(10), raise_for_status=True) as http:
                url = f"{self.url}/v1/{path}"
                # Without redirects, which would take the secret elsewhere.
                return await (await http.request(method, url, json=body or None, allow_redirects=False)).json()
        except (ClientError, TimeoutError, ValueError):
            return None
