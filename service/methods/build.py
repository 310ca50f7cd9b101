"""Builds the ways to sign in, and the use case that takes browsers to WeChat and back."""

import itertools
from collections.abc import Mapping
from typing import TypeVar

from models.method import Method
from models.web_authorization import Authorization
from service.config.apps import MiniProgram, Website, WeCom
from service.config.settings import Settings
from service.confirmation.build import ConfirmationServices
from service.crypto.keyring import Capability
from service.foundation import Foundation
from service.identities.build import IdentityServices
from service.identities.picture_encoding import PictureEncoding
from service.identities.profile_refresh import ProfileRefresh
from service.methods.addresses import AddressMethod
from service.methods.code_pictures import CodePictures
from service.methods.destinations import InsideWeChat, WebsiteLogin, WeComLogin
from service.methods.links import Links
from service.methods.mini_program import MiniProgramMethod
from service.methods.mini_program_scans import ASKED, Asked, MiniProgramScans
from service.methods.passcode_reader import PasscodeReader
from service.methods.passcodes import PasscodeIndex, PasscodeMethod
from service.methods.scan import ScanMethod
from service.methods.visits import PREFIX, Visits
from service.rate_limiting.passcode_tries import PasscodeTries
from service.rate_limiting.qr_quota import QrQuota
from service.storage.records import RecordStore
from service.tickets.build import TicketRecords
from service.tickets.method import SignInMethod
from service.wechat.clients import WeChatClients
from service.wechat.mini_program import MiniProgramApi

_App = TypeVar("_App", MiniProgram, Website, WeCom)


def build_methods(base: Foundation, *, wechat: WeChatClients, quota: QrQuota) -> Mapping[Method, SignInMethod]:
    """Build every method."""
    settings, url = base.settings, base.settings.server.public_url
    inside = [name for name, account in settings.accounts.items() if account.oauth != "none"]
    oauth = "oauth base or userinfo"
    to_wechat = {"authorize_url": Capability.AUTHORIZE}
    framed = {**to_wechat, "panel_url": Capability.PANEL}
    return {
        Method.SCAN: ScanMethod(apis=wechat.apis, quota=quota),
        Method.LINK: AddressMethod(
            accounts=inside, needs=oauth, public_url=url, shows={"qr_url": Capability.LINK}
        ),
        Method.MINIPROGRAM: MiniProgramMethod(
            programs=_apps(settings, MiniProgram),
            apis=wechat.mini_programs,
            pictures=CodePictures(base.stores.redis),
        ),
        Method.H5: AddressMethod(accounts=inside, needs=oauth, public_url=url, shows=to_wechat),
        Method.WEBSITE: AddressMethod(
            accounts=_apps(settings, Website), needs="kind website", public_url=url, shows=framed
        ),
        Method.WECOM: AddressMethod(
            accounts=_apps(settings, WeCom), needs="kind wecom", public_url=url, shows=framed
        ),
        Method.PASSCODE: PasscodeMethod(
            index=PasscodeIndex(database=base.stores.database, keyring=base.keyring),
            accounts=settings.accounts,
            clients=settings.clients,
        ),
    }


def build_visits(
    base: Foundation,
    *,
    wechat: WeChatClients,
    pictures: PictureEncoding,
    people: IdentityServices,
    records: TicketRecords,
    confirmation: ConfirmationServices,
) -> Visits:
    """Build the use case that takes browsers to WeChat and back."""
    settings = base.settings
    accounts = {
        name: InsideWeChat(wechat.web[name], one) for name, one in settings.accounts.items() if name in wechat.web
    }
    websites = {name: WebsiteLogin(wechat.web[name], app) for name, app in _apps(settings, Website).items()}
    enterprises = {name: WeComLogin(wechat.wecom[name], app) for name, app in _apps(settings, WeCom).items()}
    return Visits(
        destinations={**accounts, **websites, **enterprises},
        clients=settings.clients,
        public_url=settings.server.public_url,
        keyring=base.keyring,
        authorizations=RecordStore(base.stores.redis, PREFIX, Authorization),
        redirects=records.redirects,
        verifier=confirmation.verifier,
        ticket_status=records.status,
        completion=confirmation.completion,
        followers=people.followers,
        profile_refresh=ProfileRefresh(
            profiles=people.profiles,
            download=wechat.pictures,
            encoding=pictures,
            api_bases={name: one.api_base for name, one in [*settings.accounts.items(), *settings.apps.items()]},
            clock=base.clock,
        ),
        audit=base.audit,
        clock=base.clock,
    )


def build_passcodes(
    base: Foundation,
    *,
    tries: PasscodeTries,
    people: IdentityServices,
    records: TicketRecords,
    confirmation: ConfirmationServices,
) -> PasscodeReader:
    """Build the use case that reads passcodes in the chats of the accounts that take them."""
    taking = [client for client in base.settings.clients.values() if Method.PASSCODE in client.methods]
    return PasscodeReader(
        index=PasscodeIndex(database=base.stores.database, keyring=base.keyring),
        tries=tries,
        verifier=confirmation.verifier,
        ticket_status=records.status,
        scans=confirmation.scans,
        listening=frozenset(itertools.chain.from_iterable(client.accounts for client in taking)),
        follower_refresh=people.follower_refresh,
        audit=base.audit,
        metrics=base.metrics,
    )


def build_links(visits: Visits, *, confirmation: ConfirmationServices) -> Links:
    """Build the use case that asks the people who open links."""
    return Links(
        visits=visits,
        verifier=confirmation.verifier,
        answers=confirmation.forms,
    )


def build_mini_program_scans(
    base: Foundation,
    *,
    apis: Mapping[str, MiniProgramApi],
    records: TicketRecords,
    confirmation: ConfirmationServices,
) -> MiniProgramScans:
    """Build the use case that asks people in mini programs."""
    return MiniProgramScans(
        apis=apis,
        clients=base.settings.clients,
        keyring=base.keyring,
        requests=records.requests,
        asked=RecordStore(base.stores.redis, ASKED, Asked),
        verifier=confirmation.verifier,
        ticket_status=records.status,
        completion=confirmation.completion,
        forms=confirmation.forms,
        audit=base.audit,
        clock=base.clock,
    )


def _apps(settings: Settings, kind: type[_App]) -> dict[str, _App]:
    return {name: app for name, app in settings.apps.items() if isinstance(app, kind)}
