"""The QR codes of accounts. Red when one is served under another type, or its file is read after the start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import problem

Make = Callable[..., Any]
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"


@pytest.mark.parametrize(("begins", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")], ids=["png", "jpeg"])
async def test_the_configured_picture_is_served_as_what_it_is(
    make: Make, tmp_path: Path, begins: bytes, kind: str
) -> None:
    picture = tmp_path / "own"
    content = begins + b" and so on"
    picture.write_bytes(content)
    world = await make(accounts={"main": {"picture": str(picture)}})
    picture.unlink()
    response = await world.call("GET", "/v1/accounts/main/picture")
    assert (response.status, response.content_type) == (200, kind)
    assert await response.read() == content
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Content-Disposition" not in response.headers
    saved = await world.call("GET", "/v1/accounts/main/picture?download=1")
    name = f"wechat.{kind.removeprefix('image/')}"
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("account", ["main", "nothing", "..", "main%2F..%2Fmain"])
async def test_without_a_picture_there_is_none(make: Make, account: str) -> None:
    world = await make()
    await problem(await world.call("GET", f"/v1/accounts/{account}/picture"), 404, "not-found")
