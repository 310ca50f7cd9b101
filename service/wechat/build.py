"""Builds, from the configuration, the accounts' push settings and API credentials."""

from collections.abc import Mapping
from datetime import timedelta

from service.config.accounts import Account
from service.config.apps import MiniProgram, Website, WeCom
from service.config.forwarding import Target
from service.config.settings import Settings
from service.wechat.envelope import Envelope
from service.wechat.forwarded_push import ForwardTarget
from service.wechat.parsing import Format
from service.wechat.push_account import Mode, PushAccount
from service.wechat.transport import ApiAccount


def build_push_accounts(settings: Settings) -> dict[str, PushAccount]:
    """Return the push settings of each account, by its name."""
    return {
        name: PushAccount(
            name=name,
            appid=account.appid,
            tokens=tuple(token.get_secret_value() for token in account.token),
            aes_keys=tuple(key.get_secret_value() for key in account.aes_key),
            mode=Mode(account.mode),
            max_skew=timedelta(seconds=account.max_skew) if account.max_skew else None,
            gh_id=account.gh_id,
        )
        for name, account in settings.accounts.items()
    }


def build_forward_targets(settings: Settings) -> dict[str, tuple[ForwardTarget, ...]]:
    """Return the targets of each account that has any, by its name, in the order of the configuration."""
    return {
        name: tuple(_target(target, appid=account.appid) for target in account.forward)
        for name, account in settings.accounts.items()
        if account.forward
    }


def _target(target: Target, *, appid: str) -> ForwardTarget:
    safe = target.mode == "safe" and target.aes_key
    return ForwardTarget(
        url=target.url,
        token=target.token.get_secret_value(),
        format=Format(target.format),
        envelope=Envelope.of(safe.get_secret_value(), appid=appid) if safe else None,
    )


def build_api_accounts(settings: Settings) -> dict[str, ApiAccount]:
    """Return the API credentials of each account that may call the API, by its name."""
    return _credentials({name: account for name, account in settings.accounts.items() if account.api})


def build_web_accounts(settings: Settings) -> dict[str, ApiAccount]:
    """Return the API credentials of all that has web authorization, by its name: accounts and websites."""
    accounts = {name: account for name, account in settings.accounts.items() if account.oauth != "none"}
    websites = {name: app for name, app in settings.apps.items() if isinstance(app, Website)}
    return _credentials({**accounts, **websites})


def build_mini_program_accounts(settings: Settings) -> dict[str, ApiAccount]:
    """Return the API credentials of each mini program, by its name."""
    return _credentials({name: app for name, app in settings.apps.items() if isinstance(app, MiniProgram)})


def build_wecom_apps(settings: Settings) -> dict[str, ApiAccount]:
    """Return the API credentials of each application in WeCom, by its name."""
    return {
        name: ApiAccount(app.corpid, app.secret.get_secret_value(), app.api_base, app.proxy, app.agentid)
        for name, app in settings.apps.items()
        if isinstance(app, WeCom)
    }


def _credentials(called: Mapping[str, Account | Website | MiniProgram]) -> dict[str, ApiAccount]:
    return {
        name: ApiAccount(one.appid, one.secret.get_secret_value(), one.api_base, one.proxy)
        for name, one in called.items()
        if one.secret
    }
