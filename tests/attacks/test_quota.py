"""A visitor who uses up the day's QR codes of logins stops logins and no binds."""

from dataclasses import replace
from typing import Any

from aiohttp import ClientResponse
from harness import ACCOUNT, ORIGIN, World, problem


async def login(world: World) -> ClientResponse:
    body = {"purpose": "login", "client_id": "shop"}
    return await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})


async def refused(response: ClientResponse) -> None:
    await problem(response, 429, "rate-limited")
    assert 0 < int(response.headers["Retry-After"]) <= 86_400


async def test_who_starts_all_of_a_days_logins_leaves_some_codes_for_binds(make: Any) -> None:
    """Red when `qr_quota.available` gives logins as much as binds."""
    world = await make(accounts={"main": {"codes_per_day": 5, "codes_for_binds": 2}})
    assert [(await login(world)).status for _ in range(3)] == [201] * 3
    await refused(await login(world))
    await refused(await world.site("POST", "/v1/tickets", {"purpose": "login"}))
    first = await world.bind("42")
    assert (await world.bind("43")).status == 201
    await refused(await world.site("POST", "/v1/tickets", {"purpose": "bind", "user_id": "44"}))
    assert (await world.bind("42")).id == first.id, "the same again asks for none"
    assert len(world.sandbox.codes()) == 5
    figures = await (await world.call("GET", "/metrics")).text()
    assert 'scanbind_codes_today{account="main"} 5.0' in figures
    assert 'scanbind_limited_total{limit="codes_per_day"} 3.0' in figures


async def test_after_wechats_refusal_one_request_a_minute_is_sent_until_the_quota_is_cleared(
    make: Any,
) -> None:
    """Red when `QrQuota.code` asks on, and when a success does not open again."""
    world = await make(official={"main": replace(ACCOUNT, daily_codes=2)})
    # Noon in Beijing: what WeChat says as the day begins is of yesterday.
    world.clock.advance((4 * 3600 - world.clock.seconds()) % 86_400)
    assert [(await login(world)).status for _ in range(2)] == [201] * 2
    await problem(await login(world), 502, "wechat-unavailable")
    await refused(await login(world))
    await refused(await world.site("POST", "/v1/tickets", {"purpose": "bind", "user_id": "42"}))
    world.clock.advance(60)
    await problem(await login(world), 502, "wechat-unavailable")
    await refused(await login(world))
    await clear_quota(world)
    await refused(await login(world))
    world.clock.advance(60)
    assert [(await login(world)).status for _ in range(2)] == [201] * 2
    await problem(await login(world), 502, "wechat-unavailable")
    await refused(await login(world))
    world.clock.advance(86_400)
    assert (await login(world)).status == 201


async def clear_quota(world: World) -> None:
    """Do what the account's owner can do at WeChat."""
    base = world.settings.accounts["main"].api_base
    asked = {"grant_type": "client_credential", "appid": ACCOUNT.appid, "secret": ACCOUNT.secret}
    async with world.http.post(f"{base}/cgi-bin/stable_token", json=asked) as granted:
        query = {"access_token": (await granted.json())["access_token"]}
    async with world.http.post(
        f"{base}/cgi-bin/clear_quota", params=query, json={"appid": ACCOUNT.appid}
    ) as cleared:
        assert (await cleared.json())["errcode"] == 0
