"""Who may have an account's access token, and what the audit log says of each use.

Red when a use is not audited, when an entry names the token or not the client and the account, and when a
configured name is not told from an unknown one.
"""

from collections.abc import Callable
from typing import Any

import pytest
from harness import ACCOUNT, WEBSITE, World, client

from models.audit import AuditEntry
from models.errors import Forbidden, NotFound, WeChatUnavailable
from service.app_keys import ACCESS_TOKENS, AUDIT
from service.audit.reader import AuditFilter, read
from service.identities import reencryption
from service.identities.repository import Identities
from service.wechat.access_tokens import AccessTokens


@pytest.fixture
async def world(make: Callable[..., Any]) -> World:
    started: World = await make(
        apps={"site": WEBSITE},
        clients={"shop": client("shop", access_token=["main"]), "club": client("club")},
    )
    return started


@pytest.fixture
def tokens(world: World) -> AccessTokens:
    return world.app[ACCESS_TOKENS]


async def audited(world: World) -> list[tuple[str, str | None, str | None, str | None]]:
    """Return the entries about tokens, and check that none of them names one."""
    audit = world.app[AUDIT]
    await audit.flush()
    wanted = AuditFilter()
    identities = Identities(reencryption.cipher(world.settings), world.settings.appids, {})
    entries: list[AuditEntry] = await read(audit.database, identities, wanted, limit=100)
    for token in world.sandbox.state(ACCOUNT.appid).tokens._issued:
        assert token not in repr(entries)
    return [(it.event, it.client, it.account, it.detail) for it in entries if it.event.startswith("token")]


async def test_each_use_is_audited_with_client_and_account(world: World, tokens: AccessTokens) -> None:
    token = (await tokens.give("shop", "main")).token
    await tokens.report("shop", "main", token)
    await tokens.report("shop", "main", "another")
    with pytest.raises(Forbidden):
        await tokens.give("club", "main")
    assert sorted(await audited(world)) == sorted(
        [
            ("token_given", "shop", "main", None),
            ("token_reported", "shop", "main", "fetched"),
            ("token_reported", "shop", "main", "not fetched"),
            ("token_refused", "club", "main", None),
        ]
    )


async def test_uses_within_a_minute_are_counted(world: World, tokens: AccessTokens) -> None:
    world.clock.hold()
    for _ in range(5):
        await tokens.give("shop", "main")
    await world.app[AUDIT].finish()
    assert [detail for *_, detail in await audited(world)] == [None, "4 more"]


async def test_a_name_of_nothing_is_unknown_and_leaves_no_entry(world: World, tokens: AccessTokens) -> None:
    """Red when names that callers invent are written into the audit log."""
    for name in ("none", "", "x" * 5000):
        with pytest.raises(NotFound):
            await tokens.give("shop", name)
        with pytest.raises(NotFound):
            await tokens.report("shop", name, "token")
    assert await audited(world) == []


async def test_an_app_is_known_and_not_granted(world: World, tokens: AccessTokens) -> None:
    with pytest.raises(Forbidden):
        await tokens.give("shop", "site")
    with pytest.raises(Forbidden):
        await tokens.report("shop", "site", "token")
    assert [event for event, *_ in await audited(world)] == ["token_refused"]


async def test_a_report_whose_fetch_fails_is_audited(world: World, tokens: AccessTokens) -> None:
    """Red when only a report that succeeds leaves an entry."""
    token = (await tokens.give("shop", "main")).token
    calls = world.sandbox.state(ACCOUNT.appid).tokens._stable_calls[1]
    calls.use(now=world.clock.seconds())
    calls.used = calls.limit
    with pytest.raises(WeChatUnavailable):
        await tokens.report("shop", "main", token)
    assert ("token_reported", "shop", "main", "fetch failed") in await audited(world)
