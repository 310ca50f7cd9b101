from collections.abc import Awaitable, Callable

import pytest
from aiohttp.test_utils import TestClient

from demo.sessions import Session
from demo.site import SITE
from demo.words import PAGES

WORDS = PAGES["en"]


def session_of(shop: TestClient) -> Session:
    cookie = next(one for one in shop.session.cookie_jar if one.key == "shop_session")
    return shop.server.app[SITE].sessions.get(cookie.value)


async def test_password_signs_in_and_signing_out_ends_it(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await enter("anna", "anna")
    assert 'data-testid="whoami">anna<' in await (await shop.get("/")).text()
    await shop.post("/logout")
    assert "whoami" not in await (await shop.get("/")).text()


async def test_wrong_password_is_told_and_signs_nobody_in(shop: TestClient) -> None:
    answer = await shop.post("/login", data={"name": "anna", "password": "ben"})
    assert answer.status == 403
    assert WORDS["wrong_password"] in await answer.text()
    assert session_of(shop).user_id is None


async def test_cookie_from_before_signing_in_is_worth_nothing_after(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await shop.get("/login")
    before = session_of(shop)
    await enter("anna", "anna")
    assert session_of(shop).id != before.id
    assert shop.server.app[SITE].sessions.get(before.id) is None


async def test_cookie_from_before_signing_out_is_worth_nothing_after(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await enter("anna", "anna")
    before = session_of(shop)
    await shop.post("/logout")
    assert shop.server.app[SITE].sessions.get(before.id) is None


async def test_signing_up_signs_in(shop: TestClient) -> None:
    answer = await shop.post("/signup", data={"name": "carol", "password": "open sesame"})
    assert 'data-testid="whoami">carol<' in await answer.text()


async def test_taken_name_is_told_and_what_was_typed_comes_back(shop: TestClient) -> None:
    answer = await shop.post("/signup", data={"name": "anna", "password": "open sesame"})
    assert answer.status == 409
    text = await answer.text()
    assert WORDS["name_taken"] in text
    assert 'value="anna"' in text


async def test_misshapen_sign_up_is_told(shop: TestClient) -> None:
    answer = await shop.post("/signup", data={"name": "<b>", "password": "x"})
    assert answer.status == 400
    assert 'value="&lt;b&gt;"' in await answer.text()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"name=%ff&password=x", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"name=\xff&password=x", "application/x-www-form-urlencoded"),
        (b"", "multipart/form-data"),
    ],
)
async def test_unreadable_form_is_refused(shop: TestClient, body: bytes, kind: str) -> None:
    answer = await shop.post("/login", data=body, headers={"Content-Type": kind})
    assert answer.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"code":1}', b"{}", b"\xff"])
async def test_unreadable_code_is_refused(shop: TestClient, body: bytes) -> None:
    answer = await shop.post("/login/wechat", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400


async def test_code_is_worth_nothing_while_scanbind_is_away(shop: TestClient) -> None:
    answer = await shop.post("/login/wechat", json={"code": "c"})
    assert answer.status == 502
    assert (await answer.json(content_type="application/problem+json"))["type"] == "/problems/unreachable"
    assert session_of(shop).user_id is None


async def test_login_page_carries_the_state_of_the_session(shop: TestClient) -> None:
    text = await (await shop.get("/login")).text()
    session = session_of(shop)
    assert f'data-state="{session.state}"' in text
    assert session.id not in text


async def test_signing_in_elsewhere_leaves_a_waiting_wechat_alone(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await shop.get("/login")
    session_of(shop).registration = "r"
    await enter("anna", "anna")
    assert session_of(shop).registration is None
    assert session_of(shop).notice == ""


async def test_login_page_starts_over(shop: TestClient) -> None:
    await shop.get("/signup")
    session_of(shop).registration = "r"
    assert WORDS["scanned_new"] in await (await shop.get("/signup")).text()
    await shop.get("/login")
    assert WORDS["scanned_new"] not in await (await shop.get("/signup")).text()


@pytest.mark.parametrize(("path", "name"), [("/signup", "carol"), ("/signup/existing", "anna")])
async def test_account_stands_though_its_wechat_could_not_be_connected(
    shop: TestClient, path: str, name: str
) -> None:
    await shop.get("/signup")
    session_of(shop).registration = "r"
    text = await (await shop.post(path, data={"name": name, "password": name})).text()
    assert f'data-testid="whoami">{name}<' in text
    assert WORDS["unreachable"] in text
    assert WORDS["unreachable"] not in await (await shop.get("/")).text()
