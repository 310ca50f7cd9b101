"""The web authorization of a sandbox: what people allow, and what the `sns` calls then tell an app."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sandbox.account import App, OfficialAccount, Website, WeComApp
from sandbox.authorization.consents import CONFIRM, Consent, Consents, State
from sandbox.authorization.grants import Grant, Grants
from sandbox.authorization.pictures import Pictures
from sandbox.authorization.requests import Request, Unusable
from sandbox.emulator import Sandbox
from sandbox.errors import Refused, Unknown
from sandbox.faults import PictureFault, SnsFault
from sandbox.people import Person
from sandbox.unionids import checked
from sandbox.wecom.enterprises import Enterprises

_SNAPSHOT_NAMES: Final = {"en": "WeChat User"}
_SNAPSHOT_NAME: Final = "微信用户"


class WebAuthorization:
    """Website applications and those in WeCom, beside the Official Accounts of a sandbox, and their authorization.

    `user` is a Person or its id, `consent` a Consent, its id or the address of its QR code. Methods raise Unknown
    and Impossible as those of Sandbox; those that answer a call of an app raise Refused.
    """

    def __init__(
        self, sandbox: Sandbox, websites: Sequence[Website] = (), wecom_apps: Sequence[WeComApp] = ()
    ) -> None:
        self.fault: SnsFault | None = None
        """What happens to `sns` calls."""
        self.delay = 10.0
        """Seconds by which SnsFault.SLOW is late."""
        self._sandbox = sandbox
        self._websites = {website.appid: website for website in websites}
        self._consents = Consents()
        self._grants = Grants()
        self._snapshots: set[str] = set()
        self.pictures = Pictures(sandbox.people)
        self.enterprises = Enterprises(wecom_apps, people=sandbox.people, clock=sandbox.clock)

    @property
    def apps(self) -> Mapping[str, App]:
        """All whose codes the `sns` calls exchange, by appid."""
        return {**self._websites, **{account.appid: account for account in self._sandbox.accounts}}

    @property
    def websites(self) -> list[Website]:
        return list(self._websites.values())

    def move(self, website: str, *, to: str | None) -> Website:
        """Bind the website with this appid to another Open Platform account, to none when `to` is None."""
        if website not in self._websites:
            raise Unknown(f"no website {website!r}")
        word = None if to is None else checked("open_platform", to)
        self._websites[website] = replace(self._websites[website], open_platform=word)
        return self._websites[website]

    def show_snapshots(self, user: Person | str, *, on: bool) -> None:
        """Show the user pages as snapshots, which tell a virtual person; or end it (使用完整服务)."""
        person = self._sandbox.people.get(user)
        (self._snapshots.add if on else self._snapshots.discard)(person.id)

    def shows_snapshots(self, user: Person | str) -> bool:
        """Return whether `show_snapshots` is on for the user."""
        return self._sandbox.people.get(user).id in self._snapshots

    def picture_fault(self, user: Person | str) -> PictureFault | None:
        """Return what is wrong with the user's picture."""
        return self.pictures.fault(self._sandbox.people.get(user))

    # -- people -------------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> Consent:
        """Open the page of a login at a website, or with WeCom."""
        return self._consents.add(request, now=self._sandbox.clock())

    def enter(self, request: Request, person: Person) -> Consent | str:
        """Open a page inside WeChat or WeCom; return where it goes, or the consent it asks for first.

        Raises Unusable: the account is a test account that the person does not follow.
        """
        if isinstance(request.app, OfficialAccount):
            # From now on user/info knows the openid.
            contact = self._sandbox.contact(person, account=request.app.appid)
            if request.app.kind == "test" and not contact.following:
                raise Unusable("请先关注该测试号", 10006)
        if request.scope == "snsapi_base" or person.id in self._snapshots:
            return request.answered(self._code(request, person))
        return self._consents.add(request, person, now=self._sandbox.clock())

    def consent(self, consent: Consent | str) -> Consent:
        return self._consents.get(consent) if isinstance(consent, str) else consent

    def open_consents(self, appid: str | None = None) -> list[Consent]:
        """Return the consents that can be answered, newest first; of one app or of all."""
        found = self._consents.open(now=self._sandbox.clock())
        return [consent for consent in found if appid in (None, consent.request.app.appid)]

    def state(self, consent: Consent) -> State:
        return consent.state(now=self._sandbox.clock())

    def address(self, consent: Consent) -> str:
        """Return the address in the QR code of a website's login."""
        return f"{self._sandbox.public_url}{CONFIRM}?uuid={consent.id}"

    def scan(self, user: Person | str, consent: Consent | str) -> Consent:
        """Scan the QR code of a website's login; the phone then asks."""
        found = self.consent(consent)
        found.scan(self._sandbox.people.get(user), now=self._sandbox.clock())
        return found

    def allow(self, user: Person | str, consent: Consent | str) -> Consent:
        """Allow what is asked; the `address` of the consent then has a code."""
        found = self.scan(user, consent)
        person = self._sandbox.people.get(user)
        found.end("allowed", address=found.request.answered(self._code(found.request, person)))
        return found

    def refuse(self, user: Person | str, consent: Consent | str) -> Consent:
        """Refuse. The page goes back with the state alone; that of a website's login stays."""
        found = self.scan(user, consent)
        stays = isinstance(found.request.app, Website)
        found.end("refused", address=None if stays else found.request.answered(None))
        return found

    def _code(self, request: Request, person: Person) -> str:
        if isinstance(request.app, WeComApp):
            return self.enterprises.code(request.app, person)
        snapshot = person.id in self._snapshots and not isinstance(request.app, Website)
        shown = person.virtual() if snapshot else person
        grant = Grant(request.app.appid, shown, request.scope, snapshot)
        return self._grants.code(grant, now=self._sandbox.clock())

    # -- calls of an app ----------------------------------------------------------------------------------------

    def exchange(self, asked: Mapping[str, str]) -> dict[str, object]:
        """Answer `sns/oauth2/access_token`."""
        now = self._sandbox.clock()
        token = self._grants.exchange(asked, self.apps.get(asked.get("appid", "")), now=now)
        unionid = {} if token.grant.scope == "snsapi_base" else self._unionid(token.grant)
        snapshot = {"is_snapshotuser": 1} if token.grant.snapshot else {}
        return {**token.answer(now=now), **snapshot, **unionid}

    def refresh(self, asked: Mapping[str, str]) -> dict[str, object]:
        """Answer `sns/oauth2/refresh_token`."""
        now = self._sandbox.clock()
        return self._grants.refresh(asked, now=now).answer(now=now)

    def check(self, asked: Mapping[str, str]) -> dict[str, object]:
        """Answer `sns/auth`."""
        self._grants.token(asked, now=self._sandbox.clock())
        return {"errcode": 0, "errmsg": "ok"}

    def userinfo(self, asked: Mapping[str, str], *, pictures: str) -> dict[str, object]:
        """Answer `sns/userinfo`; `pictures` is the base of the picture's address."""
        grant = self._grants.token(asked, now=self._sandbox.clock()).grant
        if grant.scope == "snsapi_base":
            raise Refused(48001)
        name = _SNAPSHOT_NAMES.get(asked.get("lang", ""), _SNAPSHOT_NAME) if grant.snapshot else None
        return {
            "openid": grant.openid,
            "nickname": name or grant.person.nickname,
            "sex": 0,
            "language": "",
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": self.pictures.address(grant.person, base=pictures),
            "privilege": [],
            **self._unionid(grant),
        }

    def _unionid(self, grant: Grant) -> dict[str, object]:
        unionid = self._sandbox.unionids.of(grant.person, self.apps[grant.appid].open_platform)
        return {"unionid": unionid} if unionid else {}
