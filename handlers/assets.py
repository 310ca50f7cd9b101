"""Serves the scripts that sites include. The content of a versioned address never changes."""

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from handlers.http import patterns
from handlers.http.entity_tags import known_tags
from handlers.http.operation import (
    IF_NONE_MATCH,
    NOT_MODIFIED,
    TEXT,
    Answer,
    CrossOrigin,
    Operation,
    in_path,
    text,
)
from models import errors

WEB: Final = Path(__file__).parent.parent / "web"
_VERSION_LENGTH: Final = 16
_GZIP: Final = re.compile(r"(?:^|[,\s])gzip(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
_LATEST: Final = "public, max-age=300, no-transform"
_FOREVER: Final = "public, max-age=31536000, immutable, no-transform"
"""With `no-transform`: a browser refuses a script that a proxy has minified, because of its integrity hash."""
_UNSENT: Final = re.compile(rb"^ *(?://|/\*\*).*|^ +| // .*", re.MULTILINE)
"""Comments and indentation. tests/test_web_syntax.py compares the programs with and without them."""


@dataclass(frozen=True)
class Script:
    """A JavaScript module of web/ as it is sent, with its version and its integrity hash."""

    name: str
    body: bytes

    @classmethod
    def read(cls, name: str) -> Self:
        """Read a script without its comments and its indentation, an eighth of its size. Line numbers stay."""
        return cls(name, _UNSENT.sub(b"", (WEB / f"{name}.js").read_bytes()))

    @cached_property
    def packed(self) -> bytes:
        return gzip.compress(self.body, 9, mtime=0)

    @cached_property
    def version(self) -> str:
        """Identifies exactly these bytes."""
        return hashlib.sha256(self.body).hexdigest()[:_VERSION_LENGTH]

    @cached_property
    def integrity(self) -> str:
        """The hash for Subresource Integrity: a browser runs exactly these bytes or nothing."""
        return "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()

    def tag(self, public_url: str) -> str:
        """Return the script tag that loads exactly this version from *public_url*."""
        return (
            f'<script type="module" src="{public_url}/{self.name}-{self.version}.js" '
            f'integrity="{self.integrity}" crossorigin="anonymous"></script>'
        )


EMBEDDED: Final = ("widget", "portal")
"""The scripts that sites include."""
SCRIPTS: Final = {name: Script.read(name) for name in (*EMBEDDED, "sign-in")}


async def latest(request: web.Request) -> web.Response:
    """Return this release's version of a script."""
    return _respond(request, SCRIPTS[request.match_info["script"]], caching=_LATEST)


async def pinned(request: web.Request) -> web.Response:
    """Return the version of a script in the address, if this release has it."""
    script = SCRIPTS[request.match_info["script"]]
    if request.match_info["version"] != script.version:
        raise errors.NotFound(
            "this release has another version: run `scanbind widget` and put the tags it prints into the page"
        )
    return _respond(request, script, caching=_FOREVER)


def _respond(request: web.Request, script: Script, *, caching: str) -> web.Response:
    headers = {
        "Cache-Control": caching,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": f'W/"{script.version}"',  # weak: the same with and without gzip
        "Vary": "Accept-Encoding",
    }
    if script.version in known_tags(request, current=script.version):
        return web.Response(status=304, headers=headers)
    packed = _GZIP.search(request.headers.get("Accept-Encoding", "")) is not None
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = script.packed if packed else script.body
    return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers=headers)


_TAG: Final = "pages"
_SCRIPT: Final = in_path("script", {"enum": list(SCRIPTS)}, "The script's name.")
_VERSION: Final = in_path(
    "version", text(16, patterns.VERSION), "The script's version, as `scanbind widget` prints it."
)
_SENT: Final = {200: Answer("The script.", {"text/javascript": TEXT}, ("ETag",)), 304: NOT_MODIFIED}
_NAMES: Final = "|".join(SCRIPTS)

OPERATIONS: Final = (
    Operation(
        *(_TAG, "readScript", "GET", f"/{{script:{_NAMES}}}.js", latest),
        parameters=(_SCRIPT, IF_NONE_MATCH),
        answers=_SENT,
        refuses=(errors.NotFound,),
        cross_origin=CrossOrigin.PUBLIC,
    ),
    Operation(
        *(_TAG, "readPinnedScript", "GET", f"/{{script:{_NAMES}}}-{{version:[0-9a-f]+}}.js", pinned),
        parameters=(_SCRIPT, _VERSION, IF_NONE_MATCH),
        answers=_SENT,
        refuses=(errors.NotFound,),
        cross_origin=CrossOrigin.PUBLIC,
    ),
)
