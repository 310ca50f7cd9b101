"""Apps: each kind with its own keys and WeChat's hosts. Their faults stand in lib/bad_methods.py.

Red when a kind takes another's defaults, when variables do not reach apps, and when two applications of one
enterprise are refused.
"""

import json
from typing import Any

import pytest
from bad_methods import MINI, WEBSITE, WECOM
from config_files import tree

from service.config.apps import KINDS, App, MiniProgram, Website, WeCom, kinds_with
from service.config.settings import validate


def app(environ: dict[str, str] | None = None, **given: Any) -> App:
    return validate(tree(apps={"one": given} if given else {}), environ or {}).apps["one"]


def test_a_website_application_has_the_defaults_of_the_contract() -> None:
    one = app(**WEBSITE)
    assert isinstance(one, Website)
    assert one.open_platform == ""
    assert (one.api_base, one.open_base) == ("https://api.weixin.qq.com", "https://open.weixin.qq.com")


def test_a_mini_program_has_the_defaults_of_the_contract() -> None:
    one = app(**MINI)
    assert isinstance(one, MiniProgram)
    assert (one.page, one.env_version, one.open_platform) == ("pages/scan/index", "release", "")
    assert (one.api_base, one.open_base) == ("https://api.weixin.qq.com", "https://open.weixin.qq.com")


def test_an_application_of_an_enterprise_has_wecoms_hosts() -> None:
    one = app(**WECOM)
    assert isinstance(one, WeCom)
    assert (one.agentid, one.outsiders) == (1000002, "refuse")
    assert (one.api_base, one.open_base) == ("https://qyapi.weixin.qq.com", "https://login.work.weixin.qq.com")


def test_the_pages_of_wecoms_browser_move_with_its_other_pages() -> None:
    """Red when `inside_base` is WeChat's host beside a relay or a sandbox, or WeCom's."""
    bases = [app(**WECOM, **changes) for changes in ({}, {"open_base": "https://wecom.example"})]
    assert [one.inside_base for one in bases if isinstance(one, WeCom)] == [
        "https://open.weixin.qq.com",
        "https://wecom.example",
    ]


@pytest.mark.parametrize("given", [WEBSITE, WECOM], ids=lambda given: given["kind"])
def test_the_proxy_of_the_environment_is_the_applications(given: dict[str, Any]) -> None:
    proxy = "http://proxy.example:3128"
    called = [app({"HTTPS_PROXY": proxy, **more}, **given) for more in ({}, {"NO_PROXY": ".weixin.qq.com"})]
    assert [one.proxy for one in called if not isinstance(one, MiniProgram)] == [proxy, ""]


@pytest.mark.parametrize("given", [WEBSITE, MINI, WECOM])
def test_each_key_can_be_a_variable(given: dict[str, Any]) -> None:
    environ = {f"SCANBIND_APPS__ONE__{name.upper()}": str(value) for name, value in given.items()}
    assert app(environ) == app(**given)
    assert app({"SCANBIND_APPS__ONE": json.dumps(given)}) == app(**given)
    assert app({"SCANBIND_APPS": json.dumps({"one": given})}) == app(**given)


def test_a_variable_changes_one_key_of_the_file() -> None:
    one = app({"SCANBIND_APPS__ONE__API_BASE": "http://127.0.0.1:9"}, **WEBSITE)
    assert one == app(**WEBSITE, api_base="http://127.0.0.1:9")


def test_two_applications_of_one_enterprise_share_its_corpid() -> None:
    assert validate(tree(apps={"one": WECOM, "two": {**WECOM, "agentid": 7}})).apps.keys() == {"one", "two"}


def test_the_appid_of_each_app_is_known_with_its_place_in_the_configuration() -> None:
    settings = validate(tree(apps={"site": WEBSITE, "corp": WECOM}))
    assert settings.appids == {
        "main": settings.accounts["main"].appid,
        "site": WEBSITE["appid"],
        "corp": WECOM["corpid"],
    }
    places = [settings.appid_path(name) for name in settings.appids]
    assert places == ["accounts.main.appid", "apps.site.appid", "apps.corp.corpid"]


def test_no_secret_is_shown() -> None:
    assert "site-secret" not in repr(validate(tree(apps={"one": WEBSITE})))


def test_the_kinds_of_a_key_are_known() -> None:
    assert kinds_with("secret") == list(KINDS)
    assert kinds_with("env_version") == ["miniprogram"]
    assert kinds_with("token") == []
