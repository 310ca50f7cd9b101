"""Builds what knows the followers of the accounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.config.settings import Settings
from service.identities import reencryption
from service.identities.departures import Departures
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.stores import Stores
from service.wechat.api import WeChatApi


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityServices:
    """Who follows, what WeChat tells of them, and when they left. Run `follower_refresh.run` beside the server."""

    identities: Identities
    followers: Followers
    follower_refresh: FollowerRefresh
    departures: Departures


def build_identities(
    settings: Settings, stores: Stores, *, apis: Mapping[str, WeChatApi], clock: Callable[[], datetime]
) -> IdentityServices:
    """Build the services of this package."""
    identities = Identities(reencryption.cipher(settings))
    followers = Followers(stores.database, identities)
    return IdentityServices(
        identities=identities,
        followers=followers,
        follower_refresh=FollowerRefresh(apis=apis, followers=followers, clock=clock),
        departures=Departures(stores.redis, accounts=settings.accounts),
    )
