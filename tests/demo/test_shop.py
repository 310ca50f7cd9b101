import pytest
from aiohttp.test_utils import TestClient

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
]
POSTS = [
    "/login",
    "/login/wechat",
    "/signup",
    "/signup/existing",
    "/logout",
    "/settings/wechat",
    "/settings/disconnect",
]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_other_pages_cannot_post_here(shop: TestClient, path: str, headers: dict[str, str]) -> None:
    answer = await shop.post(
        path, headers=headers, data={"name": "anna", "password": "anna"}, allow_redirects=False
    )
    assert answer.status == 403
    assert not answer.cookies


async def test_own_pages_can_post(shop: TestClient) -> None:
    own = f"http://{shop.host}:{shop.port}"
    for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": own}, {"Origin": own}):
        answer = await shop.post("/logout", headers=headers, allow_redirects=False)
        assert answer.status == 303


async def test_cookie_is_out_of_reach_of_scripts_and_other_sites(shop: TestClient) -> None:
    cookie = (await shop.get("/")).cookies["shop_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"


async def test_known_visitor_keeps_the_cookie(shop: TestClient) -> None:
    assert "shop_session" in (await shop.get("/")).cookies
    assert "shop_session" not in (await shop.get("/login")).cookies


async def test_made_up_cookie_is_not_taken_over(shop: TestClient) -> None:
    answer = await shop.get("/", headers={"Cookie": "shop_session=chosen-by-somebody"})
    assert answer.cookies["shop_session"].value != "chosen-by-somebody"


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/static/shop.js"])
async def test_every_answer_carries_the_content_policy(shop: TestClient, path: str) -> None:
    answer = await shop.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_templates_are_not_served(shop: TestClient) -> None:
    assert (await shop.get("/static/layout.html")).status == 404
    assert (await shop.get("/static/shop.css")).status == 200


async def test_body_has_an_upper_end(shop: TestClient) -> None:
    answer = await shop.post("/login", data={"name": "a" * 20_000, "password": "x"})
    assert answer.status == 413
