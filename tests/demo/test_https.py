"""Over https the shop takes no session that another site of its domain has set.

Red when the cookie has a name that such a site may set, or when one with the other name is taken.
"""

from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from tls import own_certificate

from demo.scanbind import Client
from demo.shop import make_app


async def test_the_session_of_another_site_is_not_taken(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    app = make_app(
        scanbind_url=nowhere,
        phone_url=nowhere,
        sms_url=nowhere,
        clients={"all": Client("shop", "password-of-the-shop")},
        kind="all",
    )
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=own_certificate(tmp_path))
    async with TestClient(server) as browser:
        planted = (await browser.get("/signup", ssl=False)).cookies["__Host-shop"]
        assert (planted["secure"], planted["path"], planted["domain"]) == (True, "/", "")
        for name, kept in (("__Host-shop", True), ("shop", False)):
            browser.session.cookie_jar.clear()
            response = await browser.get("/signup", ssl=False, headers={"Cookie": f"{name}={planted.value}"})
            assert ("__Host-shop" not in response.cookies) == kept
