"""Where a browser goes to be identified: an account's or app's page at WeChat, and what its code is worth."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from models.language import Lang
from models.web_authorization import Scope
from models.wecom import is_outsider
from service.config.accounts import Account
from service.config.apps import Website, WeCom
from service.wechat import authorize_url
from service.wechat.web_authorization import Grant, WebAuthorization, WebProfile
from service.wechat.wecom import WeComAuthorization


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One browser on its way to WeChat."""

    scope: Scope
    redirect_uri: str
    state: str
    lang: Lang
    in_frame: bool
    """Whether WeChat must return within the frame."""


class Destination(Protocol):
    """An account or app that authorizes. Its calls raise WeChatUnavailable."""

    def first_scope(self, *, in_wecom: bool) -> Scope:
        """Return what is asked for first; *in_wecom*: by the browser that is WeCom's own."""

    @property
    def tells_more(self) -> bool:
        """Whether WeChat can be asked again, for Scope.USERINFO."""

    @property
    def open_platform(self) -> str:
        """The Open Platform account in which unionids are joined; empty if they are not."""

    def address(self, departure: Departure) -> str:
        """Return the address of WeChat's page."""

    async def exchange(self, code: str) -> Grant:
        """Exchange WeChat's code, which is sent once."""

    def admits(self, grant: Grant) -> bool:
        """Tell whether the person may sign in here."""

    async def profile(self, grant: Grant, *, lang: Lang) -> WebProfile | None:
        """Ask for name, picture and unionid; None if this kind of account or app tells none."""


@dataclass(frozen=True, slots=True)
class _Sns:
    """What accounts and websites have in common."""

    web: WebAuthorization

    async def exchange(self, code: str) -> Grant:
        """Exchange WeChat's code, which is sent once."""
        return await self.web.exchange(code)

    def admits(self, grant: Grant) -> bool:  # noqa: ARG002 - of the interface
        """Admit every person."""
        return True

    async def profile(self, grant: Grant, *, lang: Lang) -> WebProfile:
        """Ask for name, picture and unionid."""
        return await self.web.profile(grant, lang=lang)


@dataclass(frozen=True, slots=True)
class InsideWeChat(_Sns):
    """The web authorization of an Official Account, in WeChat's own browser (wechat-protocol.md 6)."""

    account: Account

    def first_scope(self, *, in_wecom: bool) -> Scope:  # noqa: ARG002 - of the interface
        """Return the openid alone: WeChat does not ask the person."""
        return Scope.BASE

    @property
    def tells_more(self) -> bool:
        """Whether the account may ask for more than the openid."""
        return self.account.oauth == "userinfo"

    @property
    def open_platform(self) -> str:
        """The account's Open Platform account."""
        return self.account.open_platform

    def address(self, departure: Departure) -> str:
        """Return the address of the page that returns at once, or asks the person."""
        return authorize_url.inside_wechat(
            self.account.open_base,
            appid=self.account.appid,
            redirect_uri=departure.redirect_uri,
            scope=departure.scope,
            state=departure.state,
        )


@dataclass(frozen=True, slots=True)
class WebsiteLogin(_Sns):
    """The login at a website application, by a QR code on WeChat's page (wechat-protocol.md 5)."""

    app: Website

    def first_scope(self, *, in_wecom: bool) -> Scope:  # noqa: ARG002 - of the interface
        """Return the only scope that there is."""
        return Scope.LOGIN

    @property
    def tells_more(self) -> bool:
        """No: the first answer has all."""
        return False

    @property
    def open_platform(self) -> str:
        """The application's Open Platform account."""
        return self.app.open_platform

    def address(self, departure: Departure) -> str:
        """Return the address of the page with the QR code."""
        return authorize_url.website_login(
            self.app.open_base,
            appid=self.app.appid,
            redirect_uri=departure.redirect_uri,
            state=departure.state,
            lang=departure.lang,
            in_frame=departure.in_frame,
        )


@dataclass(frozen=True, slots=True)
class WeComLogin:
    """An application in WeCom: by its page for all browsers, or silently in WeCom's own (wechat-protocol.md 7)."""

    wecom: WeComAuthorization
    app: WeCom
    tells_more: ClassVar[bool] = False
    open_platform: ClassVar[str] = ""

    def first_scope(self, *, in_wecom: bool) -> Scope:
        """Return what decides which of both pages opens."""
        return Scope.BASE if in_wecom else Scope.LOGIN

    def address(self, departure: Departure) -> str:
        """Return the address of the page."""
        app, back, state = self.app, departure.redirect_uri, departure.state
        if departure.scope is Scope.BASE:
            return authorize_url.inside_wecom(
                app.inside_base, corpid=app.corpid, agentid=app.agentid, redirect_uri=back, state=state
            )
        return authorize_url.wecom_login(
            app.open_base,
            corpid=app.corpid,
            agentid=app.agentid,
            redirect_uri=back,
            state=state,
            lang=departure.lang,
            in_frame=departure.in_frame,
        )

    async def exchange(self, code: str) -> Grant:
        """Exchange WeCom's code, which is sent once."""
        return await self.wecom.exchange(code)

    def admits(self, grant: Grant) -> bool:
        """Admit the members of the enterprise, and others if the configuration does."""
        return self.app.outsiders == "allow" or not is_outsider(grant.openid)

    async def profile(self, grant: Grant, *, lang: Lang) -> None:
        """Return None: WeCom tells an application the userid alone (wechat-protocol.md 7)."""
