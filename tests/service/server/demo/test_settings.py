"""The demo's settings on a local network, for each kind of account.

Red when a browser is sent to an address that it cannot reach, and when the doctor finds a fault in a setting.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from serving import listening

from demo.scanbind import Client
from sandbox.app import make_app
from sandbox.kinds import default_emulated
from service.config.review import check_complete
from service.config.settings import Settings
from service.doctor.configuration import check_configuration
from service.doctor.mini_programs import check_mini_programs
from service.doctor.passcodes import check_passcodes
from service.doctor.web_authorization import check_web_authorization
from service.doctor.wechat import check_accounts
from service.server.demo.addresses import Demo
from service.server.demo.kinds import KINDS
from service.server.demo.settings import Surroundings, demo_settings
from service.server.demo.sites import draw_own_codes

LAN = "192.0.2.7"
WHERE = Demo(shop=f"http://{LAN}:80", phone=f"http://{LAN}:8082", service=f"http://{LAN}:8080", shared=True)
EMULATED = default_emulated("http://127.0.0.1:8080/wechat/main")


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(
        where=WHERE,
        wechat="http://127.0.0.1:8082",
        emulated=EMULATED,
        clients={name: Client(one.client, name * 8) for name, one in KINDS.items()},
        pictures=draw_own_codes(EMULATED, tmp_path, phone=WHERE.phone),
        shop_port=80,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_shop_may_be_reached_by_network_and_by_this_machine(around: Surroundings, kind: str) -> None:
    settings = demo_settings(around, {})
    client = settings.clients[next(one.client for name, one in KINDS.items() if name == kind)]
    # A browser leaves the port of http out.
    assert client.origins == (f"http://{LAN}", "http://127.0.0.1", "http://localhost")
    assert client.return_urls == tuple(f"{origin}/login/wechat/done" for origin in client.origins)


def test_pages_of_wechat_are_opened_on_the_network_and_calls_stay_on_this_machine(around: Surroundings) -> None:
    settings = demo_settings(around, {})
    assert settings.server.public_url == f"http://{LAN}:8080"
    assert settings.apps["mini"].api_base == around.wechat
    for app in (*settings.accounts.values(), settings.apps["site"], settings.apps["corp"]):
        assert (app.api_base, app.open_base) == (around.wechat, f"http://{LAN}:8082")


def test_variables_of_one_kind_change_that_kind(around: Surroundings) -> None:
    settings = demo_settings(around, {"SCANBIND_CLIENTS__SHOP_TEST__CONFIRM": "none"})
    assert settings.clients["shop_test"].confirm != settings.clients["shop"].confirm


def test_each_account_has_a_picture_of_its_own(around: Surroundings) -> None:
    pictures = [account.picture for account in demo_settings(around, {}).accounts.values()]
    assert None not in pictures
    assert len(set(pictures)) == 3


@pytest.fixture
async def reachable(around: Surroundings) -> AsyncIterator[Settings]:
    """The settings beside a sandbox with their accounts."""
    async with listening(make_app(*EMULATED, public_url=WHERE.phone)) as wechat:
        yield demo_settings(replace(around, wechat=wechat), {})


async def test_the_doctor_warns_of_http_and_of_the_test_account_alone(
    reachable: Settings,
) -> None:
    check_complete(reachable)
    checks = (
        *(check_configuration, check_accounts, check_web_authorization),
        *(check_mini_programs, check_passcodes),
    )
    found = [finding for check in checks async for finding in check(reachable)]
    wrong = [str(one).splitlines()[0] for one in found if not str(one).startswith(("good", "note"))]
    assert {line.split(": ")[0] for line in wrong} == {"warning  server.public_url", "warning  accounts.test.kind"}
    for name in ("main", "test", "site", "corp", "mini"):
        assert any(str(one).startswith("good") and f".{name}" in str(one) for one in found), name
