"""The settings of the demo's service: every account of the sandbox, and a client for each kind of account."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from demo.scanbind import Client
from demo.shop import DONE
from sandbox.account import OfficialAccount
from sandbox.kinds import Emulated
from service.config.section import Section
from service.config.settings import Settings, validate
from service.server.demo.addresses import Demo
from service.server.demo.kinds import KINDS, DemoKind

_Part = TypeVar("_Part", bound=Section)
NAMES: Final = {"zh": "示例商城", "en": "Example shop"}
DATA_DIR: Final = Path("var") / "demo"
_LATER: Final = "http://127.0.0.1"
"""Stands for addresses that `_with_addresses` puts in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the settings refer to."""

    where: Demo
    wechat: str
    """The sandbox's address on this machine."""
    emulated: Emulated
    clients: Mapping[str, Client]
    """Of the shop, by kind of account."""
    pictures: Mapping[str, Path]
    """Of the own QR codes of Official Accounts, by appid."""
    shop_port: int


def demo_settings(around: Surroundings, environ: Mapping[str, str]) -> Settings:
    """Return the settings of the demo's service, as SCANBIND_ variables change them. Raises ConfigError."""
    values = {
        "data_dir": str(DATA_DIR),
        "server": {"public_url": around.where.service},
        "accounts": {one.name_in_service: _account(one, around) for one in around.emulated.accounts},
        "apps": _apps(around),
        "clients": {kind.client: _client(kind, around.clients[name], around) for name, kind in KINDS.items()},
    }
    return _with_addresses(validate(values, environ), around)


def _account(account: OfficialAccount, around: Surroundings) -> dict[str, Any]:
    common = {
        "appid": account.appid,
        "token": account.token,
        "name": account.name,
        "picture": str(around.pictures[account.appid]),
        "api_base": around.wechat,
        "open_base": _LATER,
    }
    if account.kind == "personal":
        return {**common, "api": False, "aes_key": account.aes_key}
    able = {**common, "secret": account.secret, "oauth": account.oauth}
    if account.kind == "test":
        return {**able, "kind": "test"}
    return {**able, "aes_key": account.aes_key, "open_platform": account.open_platform}


def _apps(around: Surroundings) -> dict[str, Any]:
    [website], [mini], [corp] = around.emulated[1:]
    later = {"api_base": _LATER, "open_base": _LATER}
    joined = {"open_platform": website.open_platform}
    return {
        "site": {"kind": "website", "appid": website.appid, "secret": website.secret, **joined, **later},
        "mini": {
            "kind": "miniprogram",
            "appid": mini.appid,
            "secret": mini.secret,
            "open_platform": mini.open_platform,
            "page": mini.pages[0],
            "api_base": around.wechat,
        },
        "corp": {
            "kind": "wecom",
            "corpid": corp.corpid,
            "agentid": corp.agentid,
            "secret": corp.secret,
            **later,
        },
    }


def _client(kind: DemoKind, client: Client, around: Surroundings) -> dict[str, Any]:
    local = (f"http://{host}:{around.shop_port}" for host in ("127.0.0.1", "localhost"))
    return {
        "name": NAMES,
        "secret": client.secret,
        "accounts": list(kind.accounts),
        "apps": list(kind.apps),
        "methods": list(kind.methods),
        "profile": not {"website", "h5"}.isdisjoint(kind.methods),
        "return_urls": [_LATER],
        "origins": [around.where.shop, *local],
    }


def _with_addresses(settings: Settings, around: Surroundings) -> Settings:
    """Return *settings* with addresses of a network, which may not be http in a configuration."""
    pages = {"open_base": around.where.phone}
    calls = {**pages, "api_base": around.wechat}
    return settings.model_copy(
        update={
            "accounts": {name: _changed(one, pages) for name, one in settings.accounts.items()},
            "apps": {name: _changed(one, {} if name == "mini" else calls) for name, one in settings.apps.items()},
            "clients": {
                name: _changed(one, {"return_urls": tuple(origin + DONE for origin in one.origins)})
                for name, one in settings.clients.items()
            },
        }
    )


def _changed(section: _Part, values: Mapping[str, object]) -> _Part:
    return section.model_copy(update=dict(values))
