"""Builds the services for followers."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.foundation import Foundation
from service.identities import reencryption
from service.identities.departures import Departures
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Follow, Followers, Joined
from service.identities.profiles import Profiles
from service.identities.repository import Identities
from service.outbox.outbox import Outbox
from service.wechat.api import WeChatApi


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityServices:
    """The services of this package. Run `follower_refresh.run` beside the server."""

    identities: Identities
    followers: Followers
    follower_refresh: FollowerRefresh
    departures: Departures
    profiles: Profiles


def build_identities(
    base: Foundation, *, apis: Mapping[str, WeChatApi], outbox: Outbox, on_joined: Joined, on_follow: Follow
) -> IdentityServices:
    """Build the services of this package.

    *on_joined* is told of persons who turn out to be one, *on_follow* of those who follow again or cease to.
    """
    appids, platforms = base.settings.appids, base.settings.open_platforms
    identities = Identities(reencryption.cipher(base.settings), appids, platforms, outbox)
    followers = Followers(base.stores.database, identities, on_joined, on_follow)
    return IdentityServices(
        identities=identities,
        followers=followers,
        follower_refresh=FollowerRefresh(apis=apis, followers=followers, clock=base.clock),
        departures=Departures(base.stores.redis, accounts=base.settings.accounts),
        profiles=Profiles(
            database=base.stores.database,
            identities=identities,
            showing=[name for name, client in base.settings.clients.items() if client.profile],
        ),
    )
