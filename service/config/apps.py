"""The settings of WeChat applications that are no Official Accounts."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, model_validator

from service.config.fault import Fault
from service.config.proxies import proxy_of_environment
from service.config.section import Section
from service.config.types import (
    WECHAT_API,
    WECHAT_PAGES,
    AgentId,
    AppId,
    CorpId,
    OpenPlatform,
    Page,
    SafeWebAddress,
    Secret,
)

_WECOM_PAGES: Final = "https://login.work.weixin.qq.com"


class _Called(Section):
    secret: Secret
    api_base: SafeWebAddress = WECHAT_API
    open_base: SafeWebAddress = WECHAT_PAGES
    _proxy: str = PrivateAttr("")

    @property
    def proxy(self) -> str:
        """Return the proxy of HTTPS_PROXY for calls to `api_base`, as of accounts. May contain a password."""
        return self._proxy

    @model_validator(mode="after")
    def _use_environment(self, info: ValidationInfo) -> Self:
        self._proxy = proxy_of_environment(info, self.api_base)
        return self


class _OfOpenPlatform(_Called):
    appid: AppId
    open_platform: OpenPlatform = ""
    """As of accounts; empty: its unionid joins nothing."""


class Website(_OfOpenPlatform):
    """A website application (网站应用) of an Open Platform account."""

    kind: Literal["website"]


class MiniProgram(_OfOpenPlatform):
    """A mini program (小程序)."""

    kind: Literal["miniprogram"]
    page: Page
    """The page that its codes open."""
    env_version: Literal["release", "trial", "develop"] = "release"


class WeCom(_Called):
    """An application of an enterprise in WeCom (企业微信)."""

    kind: Literal["wecom"]
    corpid: CorpId
    agentid: AgentId
    outsiders: Literal["refuse", "allow"] = "refuse"
    """Persons who scan but are no members of the enterprise."""
    api_base: SafeWebAddress = "https://qyapi.weixin.qq.com"
    open_base: SafeWebAddress = _WECOM_PAGES

    @property
    def inside_base(self) -> str:
        """Return where pages are that WeCom's own browser opens: WeChat's, unless `open_base` was changed."""
        return WECHAT_PAGES if self.open_base == _WECOM_PAGES else self.open_base


KINDS: Final[Mapping[str, type[Section]]] = {"website": Website, "miniprogram": MiniProgram, "wecom": WeCom}


def kinds_with(key: str) -> list[str]:
    """Return the kinds that have a setting named *key*."""
    return [kind for kind, model in KINDS.items() if key in model.model_fields]


def _of_known_kind(value: object) -> object:
    if not isinstance(value, Mapping | None):
        raise Fault("must be a mapping")
    if (value or {}).get("kind") not in tuple(KINDS):
        raise Fault("must be website, miniprogram or wecom", below=("kind",))
    return value


App = Annotated[
    Annotated[Website | MiniProgram | WeCom, Field(discriminator="kind")], BeforeValidator(_of_known_kind)
]
