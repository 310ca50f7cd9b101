"""The demo in this process: its variables, and what it prints.

Red when a variable of the shop or of an account has no effect, or a wrong one is accepted,
and when the announcement does not name the kind of account.

Covers: service.server.demo.announcement.
"""

from pathlib import Path

import pytest
from aiohttp import ClientSession

import sandbox.app
from sandbox.kinds import Kind
from service.config.settings import ConfigError
from service.server.demo.addresses import Demo
from service.server.demo.announcement import announcement
from service.server.demo.kinds import KINDS
from service.server.demo.run import trial

FREE = {"SCANBIND_SERVER__PORT": "0"}


@pytest.mark.parametrize("shared", [True, False])
def test_listening_on_the_network_is_announced(shared: bool) -> None:
    where = Demo(shop="http://a", phone="http://b", service="http://c", shared=shared)
    assert ("Every machine on this network" in announcement(where, "all")) is shared


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_announced_with_the_page_of_its_ways(kind: Kind) -> None:
    where = Demo(shop="http://a", phone="http://b", service="http://c", shared=False)
    [line] = [line for line in announcement(where, kind).splitlines() if "http://a/ways" in line]
    assert KINDS[kind].what in line
    assert len({one.what for one in KINDS.values()}) == len(KINDS)


def test_the_place_of_sms_to_the_announced_numbers_is_announced() -> None:
    """Red when a number is announced, and not where its SMS are: no user of the phone has it."""
    where = Demo(shop="http://a", phone="http://b", service="http://c", shared=False)
    texts = (Path(sandbox.app.__file__).parent / "web" / "words.js").read_text("utf-8")
    assert 'smsLog: "SMS to all numbers"' in texts
    assert "SMS to all numbers: on the phone, below Pushes" in announcement(where, "all")


async def test_a_host_that_no_security_policy_can_name_is_refused() -> None:
    with pytest.raises(OSError, match=r"IPv4 address in SCANBIND_SERVER__HOST"):
        async with trial(FREE | {"SCANBIND_SERVER__HOST": "::1"}, port=0):
            pass


async def test_one_thing_of_the_shop_or_the_account_may_be_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    changed = FREE | {"SCANBIND_CLIENTS__SHOP__CONFIRM": "none", "SCANBIND_ACCOUNTS__MAIN__UNFOLLOW": "keep"}
    async with (
        trial(changed, port=0) as where,
        ClientSession() as http,
        http.get(f"{where.shop}/login") as page,
    ):
        assert page.status == 200


async def test_what_is_wrong_with_the_shop_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"clients\.shop\.confirm"):
        async with trial(FREE | {"SCANBIND_CLIENTS__SHOP__CONFIRM": "perhaps"}, port=0):
            pass
