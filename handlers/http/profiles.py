"""Profiles as answers contain them: the name in WeChat, and the address of the picture (contract.md 8.5)."""

import logging
from collections.abc import Iterable, Mapping

from aiohttp import web

from handlers.http import schemas
from models.errors import StoreUnavailable
from models.profile import Profile
from service.app_keys import KEYRING, PROFILES, SETTINGS
from service.crypto.keyring import Capability
from service.identities.profiles import Person

log = logging.getLogger(__name__)


async def shown_profiles(
    request: web.Request, client: str, people: Iterable[Person]
) -> Mapping[Person, schemas.Profile]:
    """Return the profiles of *people*; none unless the client's configuration asks for them.

    None also if they cannot be read: the code or registration of the request may have been used up.
    """
    if not request.app[SETTINGS].clients[client].profile:
        return {}
    try:
        found = await request.app[PROFILES].of(people)
    except StoreUnavailable as e:
        log.warning("profiles: an answer goes without names and pictures: %s", e)
        return {}
    return {person: _shown(request, client, profile) for person, profile in found.items()}


def _shown(request: web.Request, client: str, profile: Profile) -> schemas.Profile:
    address = None
    if profile.picture:
        what = Capability.PROFILE_PICTURE
        permit = request.app[KEYRING].newest(client).capability(what, profile.picture)
        address = f"{request.app[SETTINGS].server.public_url}/v1/{what}/{permit}"
    return schemas.Profile(nickname=profile.nickname, picture=address)
