"""The proxy for WeChat's API: what is accepted, and when HTTPS_PROXY and NO_PROXY decide.

Red when `_is_proxy` accepts everything, and when `proxy_of_environment` ignores the scheme, loopback or NO_PROXY.
"""

from contextlib import suppress
from pathlib import Path

import pytest
from bad_methods import MINI, WEBSITE
from config_files import faults, tree
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from service.config.settings import ConfigError, validate

WECHAT = "https://api.weixin.qq.com"


def proxy(environ: dict[str, str] | None = None, **account: str) -> str:
    changes = {f"accounts__main__{name}": value for name, value in account.items()}
    return validate(tree(**changes), environ or {}).accounts["main"].proxy


@pytest.mark.parametrize(
    "address",
    [
        "http://proxy.example:3128",
        "http://proxy.example",
        "https://proxy.example:8443/",
        "http://10.0.0.1:3128",
        "http://[2001:db8::1]:3128",
        "http://anna:p%40ss%3A%2F@proxy.example:3128",
        "http://anna:p@ss:word@proxy.example:3128",
        "http://anna@proxy.example:3128",
        "HTTP://PROXY.example:3128",
    ],
)
def test_a_proxy_is_kept_as_written(address: str) -> None:
    assert proxy(proxy=address) == address


@pytest.mark.parametrize(
    "address",
    [
        "proxy.example:3128",
        "proxy.example",
        "socks5://proxy.example:1080",
        "http://",
        "http://:3128",
        "http://proxy.example:0",
        "http://proxy.example:65536",
        "http://proxy.example:port",
        "http://proxy.example:3128/path",
        "http://proxy.example:3128?a=b",
        "http://proxy.example:3128#a",
        "http://anna:hunter#2@proxy.example:3128",
        "http://anna:hunter?2@proxy.example:3128",
        "http://anna:12/2@proxy.example:3128",
        "http://anna:hunter[2@proxy.example:3128",
        "http://an%3Ana:hunter2@proxy.example:3128",
        "http://anna:%E5%AF%86@proxy.example:3128",
        "http://[2001:db8::zz]:3128",
        "http://bücher.example:3128",
        "http://proxy.example:3128 ",
        "http://proxy.example:3128\n",
        "http://proxy .example:3128",
    ],
)
def test_anything_else_is_refused_by_path_and_not_quoted(address: str, tmp_path: Path) -> None:
    [fault] = faults(tree(accounts__main__proxy=address), folder=tmp_path)
    assert fault.startswith("accounts.main.proxy: must be the address of a proxy, such as http://user:password@")
    assert "hunter" not in fault
    variable = {"SCANBIND_ACCOUNTS__MAIN__PROXY": address}
    assert faults(tree(), variable, folder=tmp_path) == [f"{fault} (SCANBIND_ACCOUNTS__MAIN__PROXY)"]


@given(st.text(min_size=1, max_size=40).map("http://anna:{}@proxy.example:3128".format) | st.text())
def test_any_text_is_refused_or_an_address_that_can_be_called(address: str) -> None:
    url = URL("http://refused.example")
    with suppress(ConfigError):
        url = URL(proxy(proxy=address))
    assert not address or (url.host and url.port)
    assert f"{url.user}:{url.password}".encode("latin-1")


@pytest.mark.parametrize(
    ("environ", "used"),
    [
        ({"HTTPS_PROXY": "http://p.example:1"}, "http://p.example:1"),
        ({"https_proxy": "http://p.example:1"}, "http://p.example:1"),
        ({"https_proxy": "http://small.example:1", "HTTPS_PROXY": "http://p.example:1"}, "http://small.example:1"),
        ({"HTTPS_PROXY": "p.example:1"}, "http://p.example:1"),
        ({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": "db.example,localhost"}, "http://p.example:1"),
        ({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": "in.qq.com"}, "http://p.example:1"),
        ({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": ""}, "http://p.example:1"),
        ({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": "localhost, .qq.com"}, ""),
        ({"HTTPS_PROXY": "http://p.example:1", "no_proxy": "api.weixin.qq.com:443"}, ""),
        ({"HTTPS_PROXY": "http://p.example:1", "no_proxy": "*"}, ""),
        ({"HTTPS_PROXY": "http://p.example:1", "https_proxy": ""}, ""),
        ({"HTTPS_PROXY": ""}, ""),
        ({"HTTP_PROXY": "http://p.example:1", "ALL_PROXY": "http://p.example:1"}, ""),
    ],
)
def test_without_a_setting_the_environment_decides(environ: dict[str, str], used: str) -> None:
    assert proxy(environ) == used


def test_mini_programs_and_websites_use_the_proxy_of_the_environment() -> None:
    settings = validate(tree(apps={"site": WEBSITE, "mini": MINI}), {"HTTPS_PROXY": "http://p.example:1"})
    assert [getattr(app, "proxy", "") for app in settings.apps.values()] == ["http://p.example:1"] * 2


def test_the_setting_comes_before_the_environment() -> None:
    environ = {"HTTPS_PROXY": "socks5://p.example:1", "NO_PROXY": "*"}
    assert proxy(environ, proxy="http://q.example:1") == "http://q.example:1"


@pytest.mark.parametrize(
    "base",
    ["http://127.0.0.1:8082", "http://relay.example", "https://127.0.0.2", "https://[::1]:1", "https://localhost"],
)
def test_the_environment_proxies_no_http_and_no_loopback(base: str) -> None:
    assert proxy({"HTTPS_PROXY": "http://p.example:1"}, api_base=base) == ""
    assert proxy(api_base=base, proxy="http://p.example:1") == "http://p.example:1"


@pytest.mark.parametrize("value", ["socks5://p.example:1", "http://anna:hunter#2@p.example:1", "http://"])
def test_a_malformed_variable_is_named_unless_no_call_would_use_it(value: str, tmp_path: Path) -> None:
    told = faults(tree(apps={"site": WEBSITE}), {"HTTPS_PROXY": value}, folder=tmp_path)
    for path, fault in zip(("accounts.main.proxy", "apps.site"), told, strict=True):
        assert fault.startswith(f"{path}: HTTPS_PROXY must be the address of a proxy")
        assert "hunter" not in fault
    assert proxy({"HTTPS_PROXY": value, "NO_PROXY": "qq.com"}) == ""


def test_the_password_of_a_proxy_is_in_no_text_of_the_settings() -> None:
    settings = validate(tree(accounts__main__proxy="http://anna:hunter2@p.example:1"))
    assert "hunter2" not in f"{settings} {settings!r}"
