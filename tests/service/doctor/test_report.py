"""Findings of the doctor, each with its remedy.

Covers: service.doctor.configuration, service.doctor.database, service.doctor.finding, service.doctor.public_url.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from models.events import OpenId
from models.tables.bindings import bindings
from sandbox.account import OfficialAccount, default_account
from sandbox.app import make_app
from service.app_keys import LAST_PUSHES
from service.bindings.former_appids import REMEDY
from service.config.settings import Settings, validate
from service.crypto.field_encryption import FieldCipher
from service.doctor import report
from service.doctor.configuration import check_configuration
from service.doctor.finding import Finding
from service.doctor.public_url import check_public_url
from service.doctor.report import examine
from service.identities import reencryption
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.server.app import utcnow
from service.server.runner import running
from service.storage import database

KEY = "k" * 32
SECRET = "s" * 16


@pytest.fixture
def official() -> OfficialAccount:
    return default_account("http://127.0.0.1:9/wechat/main")


@pytest.fixture
async def wechat(official: OfficialAccount) -> AsyncIterator[str]:
    async with TestServer(make_app([official], public_url="http://127.0.0.1")) as server:
        yield str(server.make_url("/"))


def settings(tmp_path: Path, account: OfficialAccount, api_base: str, **more: Any) -> Settings:
    main = {
        "appid": account.appid,
        "secret": account.secret,
        "token": account.token,
        "aes_key": account.aes_key,
        "api_base": api_base,
    }
    values = {
        "data_dir": str(tmp_path / "var"),
        "accounts": {"main": main | more.pop("main", {})},
        "clients": {"shop": {"name": "Shop", "secret": SECRET, "accounts": ["main"]}},
        "server": {"public_url": "http://127.0.0.1:9"},
    }
    return validate(values | more)


def about(findings: list[Finding], subject: str) -> list[Finding]:
    return [finding for finding in findings if finding.subject == subject]


def wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if not finding.ok]


async def test_all_is_well_while_the_service_runs(tmp_path: Path, official: OfficialAccount, wechat: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        few = {"waiting": 100}  # fewer than the files that a test may open
        config = settings(tmp_path, official, wechat, server={"public_url": address}, limits=few)
        async with running(config, sock=listening) as service:
            service.app[LAST_PUSHES].saw("main", utcnow())
            findings = await examine(config)
    assert [finding.ok for finding in about(findings, "server.public_url")] == [True, True, None]
    assert wrong(findings) == [about(findings, "server.public_url")[2]], "only the loopback is warned of"
    assert about(findings, "accounts.main")[0].message == "WeChat issues an access token"
    assert "a running scanbind" in about(findings, "redis")[0].message


async def test_stores_that_do_not_answer_are_told_with_what_to_do(
    tmp_path: Path, official: OfficialAccount, wechat: str
) -> None:
    config = settings(
        tmp_path,
        official,
        wechat,
        redis={"url": f"unix://{tmp_path}/none.sock"},
        database={"url": "postgresql://127.0.0.1:9/none"},
        secret_key=KEY,
    )
    findings = await examine(config)
    [redis], [database] = about(findings, "redis"), about(findings, "database")
    assert (redis.ok, redis.remedy) == (False, "start it, or correct redis.url")
    assert (database.ok, database.remedy) == (False, "start it, or correct database.url")
    assert about(findings, "accounts.main")[0].ok, "the rest is looked at all the same"


async def test_a_database_without_tables_wants_a_migration(
    tmp_path: Path, official: OfficialAccount, wechat: str
) -> None:
    url = f"sqlite:///{tmp_path}/empty.sqlite3"
    config = settings(tmp_path, official, wechat, database={"url": url}, secret_key=KEY)
    findings = about(await examine(config), "database")
    assert [finding.ok for finding in findings] == [True, False]
    assert findings[1].remedy == "run `scanbind migrate`"


async def test_people_who_are_not_sealed_with_the_newest_key_are_counted(
    tmp_path: Path, official: OfficialAccount, wechat: str
) -> None:
    url, old, new = f"sqlite:///{tmp_path}/people.sqlite3", "1" * 32, "2" * 32

    def with_keys(*keys: str) -> Settings:
        encryption = {"keys": list(keys)}
        return settings(tmp_path, official, wechat, database={"url": url}, secret_key=KEY, encryption=encryption)

    await database.migrate(with_keys())
    async with database.connect(with_keys().database.url, data_dir=tmp_path) as sql:
        for keys, openid in (([], "oAnna"), ([old], "oBen"), ([new], "oCarl")):
            followers = Followers(sql, Identities(FieldCipher.of(keys)))
            await followers.seen(Sender("main", OpenId(openid), datetime(2026, 3, 1, tzinfo=UTC)))
    [found] = about(await examine(with_keys(new, old)), "encryption.keys")
    message = "2 people are stored unencrypted or encrypted with an older key"
    assert found == Finding(None, "encryption.keys", message, "run `scanbind keys encrypt`")
    await reencryption.encrypt(with_keys(new, old))
    assert about(await examine(with_keys(new)), "encryption.keys") == []
    [missing] = wrong(about(await examine(with_keys(old)), "database"))
    assert "encrypted with a key that is not listed" in missing.message


async def test_bindings_of_a_former_appid_or_a_lost_account_are_counted(
    tmp_path: Path, official: OfficialAccount, wechat: str
) -> None:
    config = settings(tmp_path, official, wechat)
    async with database.connect("embedded", data_dir=config.data_dir) as sql:
        people = Identities(FieldCipher.of([]), {"main": "wxFormer"})
        for account, openid in (("main", "oAnna"), ("main", "oBen"), ("lost", "oCarl")):
            await Followers(sql, people).seen(Sender(account, OpenId(openid), datetime(2026, 3, 1, tzinfo=UTC)))
            async with sql.writing() as connection:
                person = await connection.run_sync(people.find, account, OpenId(openid))
                assert person is not None
                row = {"client": "shop", "account": account, "user_id": openid, "follower_id": person.id}
                row |= {"bound_at": datetime(2026, 3, 1, tzinfo=UTC)}
                await connection.execute(sa.insert(bindings).values(row))
    found = await examine(config)
    [changed] = about(found, "accounts.main.appid")
    assert (changed.ok, changed.remedy) == (None, REMEDY)
    for part in (official.appid, "wxFormer", "wxFormer: 2."):
        assert part in changed.message
    [lost] = about(found, "accounts.lost")
    assert lost.ok is None
    assert "belong to it: 1." in lost.message


@pytest.mark.parametrize(
    ("main", "remedy"),
    [
        ({"secret": "0" * 32}, "correct accounts.main.secret"),
        ({"appid": "wx0000000000000000"}, "correct accounts.main.appid"),
        ({"api_base": "http://127.0.0.1:9"}, "check that http://127.0.0.1:9 is reachable"),
    ],
)
async def test_an_account_without_a_token_says_why(
    main: dict[str, str], remedy: str, tmp_path: Path, official: OfficialAccount, wechat: str
) -> None:
    config = settings(tmp_path, official, wechat, main=main)
    [finding] = about(await examine(config), "accounts.main")
    assert finding.ok is False
    assert finding.remedy.startswith(remedy)
    assert official.secret not in str(finding)


async def test_an_api_base_that_is_not_wechat_is_told(tmp_path: Path, official: OfficialAccount) -> None:
    async def anything(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", anything)
    async with TestServer(app) as server:
        base = str(server.make_url(""))
        config = settings(tmp_path, official, base, server={"public_url": base})
        findings = await examine(config)
    [account] = about(findings, "accounts.main")
    assert (account.ok, account.remedy) == (False, "correct accounts.main.api_base")
    assert about(findings, "server.public_url")[0].ok is False, "the answer of another server is not ours"


@pytest.mark.parametrize(
    ("off", "message"),
    [
        (40, "this machine's clock is 40 s behind"),
        (-3600, "this machine's clock is 3600 s ahead"),
        (20, "agrees with WeChat's"),
    ],
)
async def test_a_clock_that_is_not_wechats_is_warned_of(
    off: int, message: str, tmp_path: Path, official: OfficialAccount
) -> None:
    async def elsewhen(_: web.Request) -> web.Response:
        then = datetime.now(UTC) + timedelta(seconds=off)
        return web.Response(headers={"Date": format_datetime(then, usegmt=True)})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhen)
    async with TestServer(app) as server:
        findings = await examine(settings(tmp_path, official, str(server.make_url(""))))
    [clock] = about(findings, "clock")
    seconds = re.compile(r"[0-9]+")
    assert seconds.sub("n", clock.message) == seconds.sub("n", message)
    assert all(abs(int(said) - abs(off)) <= 2 for said in seconds.findall(clock.message))
    assert clock.ok is (True if abs(off) <= 30 else None)


async def test_a_clock_that_cannot_be_compared_is_no_finding(tmp_path: Path, official: OfficialAccount) -> None:
    findings = await examine(settings(tmp_path, official, "http://127.0.0.1:9"))
    assert about(findings, "clock") == []


@pytest.mark.parametrize(
    ("main", "subject"),
    [
        ({"mode": "plain", "allow_unsigned_body": True}, "accounts.main.mode"),
        ({"kind": "test", "aes_key": ""}, "accounts.main.kind"),
    ],
)
async def test_pushes_that_nothing_signs_are_the_one_warning_about_an_account(
    tmp_path: Path, official: OfficialAccount, wechat: str, *, main: dict[str, Any], subject: str
) -> None:
    findings = await examine(settings(tmp_path, official, wechat, main=main))
    told = [finding for finding in wrong(findings) if finding.subject.startswith("accounts")]
    [warning] = [finding for finding in told if finding.subject != "accounts.main.token"]
    assert (warning.ok, warning.subject) == (None, subject)
    assert "nothing signs the bodies of its pushes" in warning.message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9", "only reachable from this machine"),
        ("http://login.invalid", "cross the internet unencrypted"),
        ("http://192.168.7.8", "secrets are sent unencrypted"),
        ("https://login.invalid:8443", "WeChat pushes only to ports 80 and 443"),
        ("https://login.invalid", None),
    ],
)
async def test_an_address_that_wechat_cannot_use_is_warned_of(
    url: str, message: str | None, tmp_path: Path, official: OfficialAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = {"server.public_url": check_public_url, "configuration": check_configuration}
    monkeypatch.setattr(report, "_CHECKS", checks)
    server = {"public_url": url, "trusted_proxies": ["10.0.0.0/8"]}
    config = settings(tmp_path, official, "http://127.0.0.1:9", server=server)
    reached, *warnings = [one for one in wrong(await examine(config)) if one.subject == "server.public_url"]
    assert reached.ok is False
    assert [warning.ok for warning in warnings] == [None] * bool(message)
    assert all(message and message in warning.message for warning in warnings)


async def test_a_proxy_that_is_not_named_is_warned_of(
    tmp_path: Path, official: OfficialAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_CHECKS", {"server.public_url": check_public_url})
    server = {"public_url": "https://login.invalid"}
    config = settings(tmp_path, official, "http://127.0.0.1:9", server=server)
    [warning] = about(await examine(config), "server.trusted_proxies")
    assert warning.ok is None


async def test_nothing_configured_is_a_warning(tmp_path: Path) -> None:
    findings = await examine(validate({"data_dir": str(tmp_path), "server": {"public_url": "http://127.0.0.1:9"}}))
    assert [finding.ok for subject in ("accounts", "clients") for finding in about(findings, subject)] == [
        None
    ] * 2


async def test_a_check_that_fails_or_hangs_is_a_finding_too(
    tmp_path: Path, official: OfficialAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Settings) -> AsyncIterator[Finding]:
        yield Finding(True, "broken", str(int("hunter2")))

    async def hanging(_: Settings) -> AsyncIterator[Finding]:
        yield Finding(True, "hanging", "first")
        await asyncio.Event().wait()

    monkeypatch.setattr(report, "_CHECKS", {"broken": broken, "hanging": hanging})
    monkeypatch.setattr(report, "PATIENCE", 0.05)
    findings = await examine(settings(tmp_path, official, "http://127.0.0.1:9"))
    assert [(finding.ok, finding.subject) for finding in findings] == [
        (False, "broken"),
        (True, "hanging"),
        (False, "hanging"),
    ]
    assert "hunter2" not in str(findings)


def test_a_finding_is_a_line_and_its_remedy() -> None:
    finding = Finding(None, "redis", "forgets", "make it remember")
    assert str(finding) == "warning  redis: forgets\n         remedy: make it remember"
    assert str(replace(finding, ok=True, remedy="")) == "good     redis: forgets"


async def test_an_account_without_api_is_not_called(
    tmp_path: Path, official: OfficialAccount, wechat: str
) -> None:
    """Red when its token is fetched, its host is asked for the time, or its QR codes are counted."""
    config = settings(tmp_path, official, wechat, main={"api": False}, clients={})
    findings = await examine(config)
    told = [str(finding) for finding in findings if finding.subject.startswith("accounts")]
    assert told[-1] == "good     accounts.main: WeChat is not called, as api is false"
    assert [line.split()[1] for line in told] == ["accounts.main.token:", "accounts.main:"]
    assert about(findings, "clock") == []
