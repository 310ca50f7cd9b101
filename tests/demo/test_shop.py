"""The shop alone: accounts, sessions, and requests from other sites' pages."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from shopper import Clock, Visit

import demo.shop
from demo.phones import Code
from demo.users import READY, User
from demo.visitors import ScannedWeChat, Visitor

FOREIGN = ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"]
POSTS = [
    "/login",
    "/phone",
    "/phone/code",
    "/ways",
    "/login/wechat",
    "/login/wechat/start",
    "/signup",
    "/logout",
    "/settings/wechat",
    "/settings/wechat/scanned",
]


def test_the_whole_shop_is_less_than_550_lines_of_python() -> None:
    """Red when it is longer than the README says; blank lines do not count."""
    sources = Path(demo.shop.__file__).parent.glob("*.py")
    lines = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) < 550


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("origin", FOREIGN)
async def test_other_pages_cannot_post_here(alone: Visit, path: str, origin: str) -> None:
    answer = await alone.http.post(
        path, headers={"Origin": origin}, data={"name": "anna", "password": "anna"}, allow_redirects=False
    )
    assert answer.status == 403
    assert not answer.cookies


async def test_own_pages_can_post(alone: Visit) -> None:
    own = f"http://{alone.http.host}:{alone.http.port}"
    answer = await alone.http.post("/logout", headers={"Origin": own}, allow_redirects=False)
    assert answer.status == 303


async def test_cookie_is_out_of_reach_of_scripts_and_other_sites(alone: Visit) -> None:
    cookie = (await alone.http.get("/")).cookies["shop"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Lax", "/")


async def test_known_visitor_keeps_the_cookie_and_the_state(alone: Visit) -> None:
    first = await alone.http.get("/")
    second = await alone.http.get("/login")
    assert "shop" in first.cookies
    assert "shop" not in second.cookies
    state = re.compile(r'state="([^"]+)"')
    assert state.findall(await first.text()) == state.findall(await second.text()) != []


async def test_made_up_cookie_is_not_taken_over(alone: Visit) -> None:
    answer = await alone.http.get("/", headers={"Cookie": "shop=chosen-by-somebody"})
    assert answer.cookies["shop"].value != "chosen-by-somebody"


async def test_cookie_is_in_no_page(alone: Visit) -> None:
    await alone.get("/login")
    assert alone.cookie not in await alone.get("/login")


async def test_page_states_a_strict_policy_and_cannot_be_framed_or_kept(alone: Visit) -> None:
    answer = await alone.http.get("/login")
    text = await answer.text()
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
    assert text.index("Content-Security-Policy") < text.index("<script")
    assert "default-src &#x27;none&#x27;" in policy or "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", text)


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_every_page_is_whole_in_both_languages(alone: Visit, lang: str) -> None:
    await alone.post("/login", name="anna", password="anna")
    pages = [await alone.get(f"/?lang={lang}")]
    await alone.post("/logout")
    pages += [await alone.get(f"/{path}&lang={lang}") for path in ("login?say=wrong", "signup?say=taken")]
    for text in pages:
        assert f'<html lang="{lang}">' in text
        assert not re.search(r"\[\[|\]\]|<!--|\$\w", text)
        visible = re.sub(r"<[^>]*>|中文|English", "", text)
        assert bool(re.search(r"[\u4e00-\u9fff]", visible)) == (lang == "zh")


async def test_language_is_the_browsers_until_another_is_asked_for(alone: Visit) -> None:
    assert '<html lang="zh">' in await alone.get("/login", **{"Accept-Language": "zh-CN,en;q=0.8"})
    assert '<html lang="en">' in await alone.get("/login", **{"Accept-Language": "de"})
    assert '<html lang="en">' in await alone.get("/login?lang=en", **{"Accept-Language": "zh-CN"})
    assert '<html lang="en">' in await alone.get("/login?lang=xx")


async def test_language_once_asked_for_stays(alone: Visit) -> None:
    await alone.get("/login?lang=zh")
    assert '<html lang="zh">' in await alone.get("/signup", **{"Accept-Language": "en"})
    assert '<html lang="zh">' in await alone.post("/login", name="anna", password="anna")
    assert '<html lang="zh">' in await alone.post("/logout")
    await alone.get("/login?lang=en")
    assert '<html lang="en">' in await alone.get("/", **{"Accept-Language": "zh-CN"})


async def test_password_signs_in_and_signing_out_ends_it(alone: Visit) -> None:
    assert 'data-testid="whoami">anna<' in await alone.post("/login", name="anna", password="anna")
    assert 'data-testid="whoami"' not in await alone.post("/logout")
    assert 'data-testid="whoami"' not in await alone.get("/settings")


@pytest.mark.parametrize(("name", "password"), [("anna", "ben"), ("anna", ""), ("nobody", "nobody"), ("", "")])
async def test_a_wrong_name_or_password_shows_an_error_and_does_not_log_in(
    alone: Visit, name: str, password: str
) -> None:
    text = await alone.post("/login", name=name, password=password)
    assert 'data-testid="notice"' in text
    assert 'data-testid="whoami"' not in text


async def test_ten_wrong_passwords_end_the_guesses_at_one_account_for_ten_minutes(
    alone: Visit, clock: Clock
) -> None:
    """Red when guesses go on, at once too, when right passwords count, or when other users are hindered."""
    for _ in range(11):
        assert 'data-testid="whoami"' in await alone.post("/login", name="anna", password="anna")
        await alone.post("/logout")
    words = [*"0123456789", "anna"]
    guesses = (alone.forms.users.with_password("anna", word, now=clock()) for word in words)
    assert await asyncio.gather(*guesses) == [None] * 11
    clock.now += 599
    assert 'data-testid="notice"' in await alone.post("/login", name="13900000001", password="anna")
    assert 'data-testid="whoami">ben<' in await alone.post("/login", name="ben", password="ben")
    clock.now += 1
    assert 'data-testid="whoami">anna<' in await alone.post("/login", name="anna", password="anna")


async def test_a_form_without_its_fields_does_not_log_in(alone: Visit) -> None:
    for path in ("/login", "/signup", "/login/wechat"):
        assert 'data-testid="notice"' in await alone.post(path)


@pytest.mark.parametrize("way_out", [("/logout", {}), ("/login", {"name": "ben", "password": "ben"})], ids=str)
async def test_cookie_from_before_a_change_is_worth_nothing_after(
    alone: Visit, way_out: tuple[str, dict[str, str]]
) -> None:
    await alone.get("/")
    cookies = [alone.cookie]
    for path, form in (("/login", {"name": "anna", "password": "anna"}), way_out):
        await alone.post(path, **form)
        cookies.append(alone.cookie)
    assert len(set(cookies)) == 3
    assert list(alone.visitors.by_cookie) == cookies[-1:]


@pytest.mark.parametrize("path", ["/phone/code", "/login", "/login/wechat", "/logout"])
async def test_a_form_that_was_sent_twice_does_not_end_the_session_of_the_first(alone: Visit, path: str) -> None:
    """Red when the second, with a cookie that the first replaced, gets a cookie of its own."""
    await alone.get("/")
    jar = CookieJar(unsafe=True)
    jar.update_cookies({"shop": alone.cookie}, alone.http.make_url("/"))
    await alone.post("/login", name="anna", password="anna")
    async with ClientSession(cookie_jar=jar) as http:
        answer = await http.post(alone.http.make_url(path), data={"code": "x"}, allow_redirects=False)
    assert "shop" not in answer.cookies


async def test_state_changes_with_the_session(alone: Visit) -> None:
    await alone.get("/")
    before = alone.session.state
    await alone.post("/login", name="anna", password="anna")
    assert alone.session.state != before


async def test_signing_up_signs_in_and_the_password_is_not_kept(alone: Visit) -> None:
    assert 'data-testid="whoami">carol<' in await alone.post("/signup", name="carol", password="open sesame")
    await alone.post("/logout")
    assert 'data-testid="whoami">carol<' in await alone.post("/login", name="carol", password="open sesame")
    [carol] = [user for user in alone.forms.users.by_id.values() if user.name == "carol"]
    assert b"open sesame" not in carol.digest
    assert "carol" not in carol.id


async def test_taken_name_is_told_and_stays_whose_it_is(alone: Visit) -> None:
    assert 'data-testid="notice"' in await alone.post("/signup", name="anna", password="open sesame")
    assert 'data-testid="whoami"' not in await alone.get("/")
    assert 'data-testid="whoami">anna<' in await alone.post("/login", name="anna", password="anna")


async def test_name_is_given_once_even_to_two_at_once(alone: Visit) -> None:
    form, visitor = {"name": "carol", "join": ""}, Visitor("all")
    took = await asyncio.gather(
        *(alone.forms.sign_up(visitor, {**form, "password": word}) for word in ("first", "second"))
    )
    assert sorted(visitor.user is not None for visitor, _ in took) == [False, True]


@pytest.mark.parametrize(("name", "password"), [("", "secret"), ("carol", ""), ("c" * 65, "secret")])
async def test_account_without_name_or_password_or_with_a_long_name_is_refused(
    alone: Visit, name: str, password: str
) -> None:
    assert 'data-testid="notice"' in await alone.post("/signup", name=name, password=password)
    assert alone.names == ["anna", "ben"]


@pytest.mark.parametrize(
    "name", [READY["anna"], "+86 139-0000-0001", "139****0001", " ", "\u202e", "\0"], ids=ascii
)
async def test_a_name_without_a_letter_is_refused(alone: Visit, name: str) -> None:
    """Red when a name can be a phone number, with which its owner could then not sign in."""
    assert 'data-testid="notice"' in await alone.post("/signup", name=name, password="secret")
    assert 'data-testid="whoami">anna<' in await alone.post("/login", name=READY["anna"], password="anna")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"name=\xff", b"name=%ff&password=x", b"password=%ed%a0%80", b"name", b"--x\r\n\r\n"],
    ids=["no UTF-8", "no UTF-8 within", "half a character", "no value", "another kind"],
)
async def test_a_form_that_cannot_be_read_is_refused(alone: Visit, path: str, body: bytes) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await alone.http.post(path, data=body, headers=kind, allow_redirects=False)
    assert answer.status == 400


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded; charset=nope", "multipart/form-data", ""])
async def test_a_form_is_read_under_every_content_type(alone: Visit, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = await alone.http.post("/login", data=b"name=anna&password=anna", headers=headers)
    assert 'data-testid="whoami">anna<' in await answer.text()


async def test_what_people_typed_is_escaped(alone: Visit) -> None:
    nasty = "\"><script>alert('1')</script>&[[a|b]]$phone"
    text = await alone.post("/signup", name=nasty, password="open sesame")
    assert "&quot;&gt;&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;[[a|b]]$phone<" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize("say", ["<b>", "user", "wrong--><b>", "bound"])
async def test_address_cannot_make_the_page_say_anything(alone: Visit, say: str) -> None:
    answer = await alone.http.get("/login", params={"say": say})
    assert await answer.text() == await alone.get("/login")


async def test_sessions_have_an_upper_end(alone: Visit) -> None:
    alone.visitors.by_cookie = {str(number): Visitor("all") for number in range(10_000)}
    await alone.get("/")
    assert len(alone.visitors.by_cookie) == 10_000
    assert "0" not in alone.visitors.by_cookie
    assert alone.cookie in alone.visitors.by_cookie


@pytest.mark.parametrize(
    "known",
    [{"user": User()}, {"scanned": ScannedWeChat("", "all", 0)}, {"code": Code("", "", 0)}, {"number": "1"}],
    ids=str,
)
async def test_visits_without_a_trace_end_before_others(alone: Visit, known: dict[str, Any]) -> None:
    """Red when requests without cookies can sign people out, or lose the WeChat that they scanned."""
    visitors, old = alone.visitors, Visitor("all", **known)
    visitors.by_cookie = {old.cookie: old} | {str(number): Visitor("all") for number in range(9_999)}
    await alone.get("/")
    assert len(visitors.by_cookie) == 10_000
    assert old.cookie in visitors.by_cookie


async def test_accounts_have_an_upper_end(alone: Visit) -> None:
    """Red when the users are not counted."""
    alone.forms.users.by_id |= {str(number): User() for number in range(10_000)}
    assert "taken" in str((await alone.http.post("/signup", data={"name": "carol", "password": "x"})).url)
    assert "carol" not in alone.names


async def test_body_has_an_upper_end(alone: Visit) -> None:
    answer = await alone.http.post("/login", data={"name": "a" * 20_000, "password": "x"})
    assert answer.status == 413
