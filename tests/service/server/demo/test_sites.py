"""The sandbox of the demo leads back to addresses that phones can reach.

Red when a domain is the callback's, which phones cannot reach: WeChat shows 10003. Red when the phone begins with
another account than that of the kind.
"""

import pytest
from yarl import URL

from sandbox.account import Website
from sandbox.app import AUTHORIZATION, SANDBOX
from sandbox.in_app_browser import browser
from sandbox.kinds import Kind, default_emulated
from service.server.demo.addresses import Demo
from service.server.demo.sites import wechat

LAN = "192.0.2.7"
WHERE = Demo(shop=f"http://{LAN}:81", phone=f"http://{LAN}:82", service=f"http://{LAN}:80", shared=True)
EMULATED = default_emulated("http://127.0.0.1:80/wechat/main")


def test_wechat_leads_back_to_the_address_that_phones_use() -> None:
    app = wechat(EMULATED, WHERE, kind="all", public_url=WHERE.service)
    apps = app[AUTHORIZATION].apps.values()
    assert app[AUTHORIZATION].enterprises.app().domain == LAN
    assert {one.domain if isinstance(one, Website) else one.oauth_domain for one in apps} == {LAN}
    known = app[browser.KEY].sites
    for url in (f"{WHERE.shop}/login", f"{WHERE.service}/oauth/main"):
        assert known.include(URL(url), near=False)


@pytest.mark.parametrize("kind", ["test", "service", "personal"])
def test_the_phone_begins_with_the_account_of_the_kind(kind: Kind) -> None:
    app = wechat(EMULATED, WHERE, kind=kind, public_url=WHERE.service)
    assert [account.kind for account in app[SANDBOX].accounts].index(kind) == 0
