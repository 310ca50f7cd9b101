"""Logs a person in by a scan, as the page and the back end of a site do, with the phone of the sandbox."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

ORIGIN: Final = "https://shop.example"
_READY_WITHIN: Final = 60
_POLL: Final = 0.1


@dataclass(slots=True, kw_only=True)
class Site:
    """The addresses of the service and the sandbox, and what the site `shop` knows."""

    service: int
    """A port of this machine, as the next one."""
    sandbox: int
    password: str = field(default="", repr=False)
    person: str = ""
    """The one user of the phone, created by the first login."""

    def wait(self) -> None:
        """Wait until the service is ready. Raises TimeoutError."""
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            try:
                if self._call(self.service, "GET", "/readyz"):
                    return
            except (OSError, HTTPException, RuntimeError):
                time.sleep(_POLL)
        raise TimeoutError(f"the service is not ready after {_READY_WITHIN} s")

    def log_in(self) -> str:
        """Log the person in, the first time as the new user 42; return the outcome. Raises RuntimeError."""
        made = self._call(
            *(self.service, "POST", "/v1/tickets"), {"purpose": "login", "client_id": "shop"}, {"Origin": ORIGIN}
        )
        self.person = self.person or self._phone("users", nickname="Bao")["id"]
        if self._phone("scan", user=self.person, code=made["qr_url"])["outcome"] == "follow_first":
            self._phone("follow", user=self.person)
        self._phone("say", user=self.person, text=self._shown(made)["match"])
        told = self._site("/v1/exchange", {"code": self._shown(made)["code"]})
        if told["outcome"] == "register":
            self._site("/v1/bindings", {"user_id": "42", "registration": told["registration"]})
        return f"{told['outcome']} {told.get('user_id')}"

    def _shown(self, made: Mapping[str, Any]) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        return self._call(self.service, "GET", f"/v1/tickets/{made['ticket']}", None, bearer)

    def _phone(self, act: str, **body: str) -> dict[str, Any]:
        return self._call(self.sandbox, "POST", f"/sandbox/api/{act}", body)

    def _site(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        basic = base64.b64encode(f"shop:{self.password}".encode()).decode()
        return self._call(self.service, "POST", path, body, {"Authorization": f"Basic {basic}"})

    def _call(
        self,
        port: int,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", port, timeout=_READY_WITHIN)
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return dict(json.loads(text)) if text else {}
