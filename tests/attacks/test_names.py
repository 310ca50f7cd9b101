"""Chat replies contain the service's words and links only, for every text that browsers and sites send."""

import re
import unicodedata
from typing import Any

import pytest
from harness import ORIGIN, Page, World, client
from hypothesis import example, given
from hypothesis import strategies as st
from portal_client import bearer, visit

from models.confirmation import Question, numbers
from models.language import Lang
from models.requester import cleaned_requester
from models.ticket import Confirm, Purpose
from sandbox.chat import pieces
from service.confirmation import messages

QUESTION = Question(Confirm.CHOOSE, numbers(b"\1" * 32), "ABCD")
EVIL = (
    '<a href="weixin://bizmsgmenu?msgmenucontent=47&msgmenuid=1">Yes</a>',
    '</a><a href="https://evil.example">prize</a>',
    "https://evil.example\r\nweixin://dl/business",
    "\u202e\u2066olleh\u2069\u200b\x1b[2J\x00",
    "anna\u2028\u2029\x85\x0b\x0cIs that you? No",
    "&#60;a href=&#34;http://evil.example&#34;&#62;",
    "]]><Content>x</Content><![CDATA[",
    "{site}{0.__class__}%s$name",
    "＜a href＝＂https：//evil.example＂＞",
)
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/|//", re.IGNORECASE)

LINES = 8
"""Who asks, browser, address, what to do, the numbers and not-me, with two empty ones between."""

anything = st.text(st.characters(codec="utf-8"), max_size=80) | st.sampled_from(EVIL)


def links(reply: str) -> list[tuple[str | None, str | None]]:
    return [(piece.href, piece.says) for piece in pieces(reply) if piece.href or piece.says]


def assert_clean(reply: str) -> None:
    """Fail when anything but the links themselves writes markup or an address, hides, or turns the text around."""
    said = "".join(piece.text for piece in pieces(reply))
    assert not ADDRESS.search(said)
    assert not {"<", ">", "&"} & set(said)
    assert {c for c in said if unicodedata.category(c)[0] == "C"} <= {"\n"}


@given(ip=anything, agent=anything, name=anything, lang=st.sampled_from(Lang), purpose=st.sampled_from(Purpose))
@example(ip=EVIL[0], agent=EVIL[0], name=EVIL[0], lang=Lang.EN, purpose=Purpose.BIND)
def test_nothing_that_is_cleaned_writes_into_the_chat(
    ip: str, agent: str, name: str, lang: Lang, purpose: Purpose
) -> None:
    """Red when `cleaned_requester` returns any of the three uncleaned."""
    requester = cleaned_requester(ip=ip, user_agent=agent, account_name=name)
    plain = cleaned_requester(
        ip="203.0.113.7" if requester.address else None,
        user_agent="Firefox/1" if requester.browser else None,
        account_name="anna" if requester.account_name else None,
    )
    said, plainly = (
        messages.question(
            QUESTION, lines=messages.request(purpose=purpose, requester=one, lang=lang, site="Shop"), lang=lang
        )
        for one in (requester, plain)
    )
    assert links(said) == links(plainly)
    assert len(said.splitlines()) == len(plainly.splitlines())
    assert_clean(said)


@pytest.mark.parametrize("evil", EVIL)
async def test_a_chat_shows_no_link_that_a_browser_or_a_site_sent(make: Any, evil: str) -> None:
    """Red when `_requester` (browser, address) or the portal's `bind` (name) does without `cleaned_requester`."""
    world: World = await make(
        clients={"shop": client("shop", confirm="choose")}, server={"trusted_proxies": ["127.0.0.1"]}
    )
    headers = dict.fromkeys(("User-Agent", "X-Forwarded-For"), re.sub(r"[^\x20-\x7e]", "?", evil))
    login = await world.call(
        "POST",
        "/v1/tickets",
        json={"purpose": "login", "client_id": "shop", "state": evil.replace("\0", "")},
        headers={"Origin": ORIGIN, **headers},
    )
    bind = await world.bind("1", account_name=evil, visitor={"ip": evil[:64], "user_agent": evil})
    here = await visit(world, "2", account_name=evil)
    portal = await here.call("POST", "/tickets", json={}, headers={**bearer(here.secret), **headers})
    person = await world.person()
    for made in (await login.json(), bind.made, await portal.json()):
        reply = await world.scan(person, Page(world, made, 201)) or ""
        *offered, not_me = links(reply)
        assert re.fullmatch("Not me [0-9A-Z]{4}", not_me[1] or "")
        assert [bool(re.fullmatch("[1-9][0-9]", says or "")) for _, says in offered] == [True] * 3
        assert {href for href, _ in links(reply)} == {None}
        assert len(reply.splitlines()) <= LINES
        assert_clean(reply)
