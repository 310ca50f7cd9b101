"""Calls scanbind's API for one client. A shop has one; the demo shop has one for each kind of account to show."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, encode_basic_auth


@dataclass(frozen=True, slots=True)
class Client:
    """What scanbind's configuration calls the shop, and the secret there."""

    id: str
    secret: str


@dataclass(slots=True)
class Scanbind:
    url: str
    client: Client
    offered: list[str] | None = None  # the methods, once scanbind has told them

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

    async def methods(self, return_url: str, state: str) -> list[str] | None:
        """Return the client's ways to sign in, in its order; None when scanbind does not answer.

        They are in the answer with a new ticket, where the element finds them, too. This ticket is not used.
        """
        if self.offered is None:
            ticket = await self.ask("POST", "tickets", purpose="login", return_url=return_url, state=state)
            self.offered = ticket and ticket["methods"]
        return self.offered
