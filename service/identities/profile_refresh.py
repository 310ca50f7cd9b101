"""Use case: keep the name and picture of a person up to date when they sign in (contract.md 8.5).

A login never fails for them: what cannot be fetched or stored is tried again at the next one.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from models.errors import StoreUnavailable
from models.nickname import clean_nickname
from models.profile import source_of
from service.identities.picture_encoding import PictureEncoding
from service.identities.profiles import Person, Picture, Profiles
from service.wechat.picture_download import PictureDownload
from service.wechat.web_authorization import WebProfile

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class ProfileRefresh:
    """Stores what WeChat told of a person, with the picture behind its address."""

    profiles: Profiles
    download: PictureDownload
    encoding: PictureEncoding
    api_bases: Mapping[str, str]
    """Of each account and app."""
    clock: Callable[[], datetime]

    async def refresh(self, person: Person, told: WebProfile) -> None:
        """Store the name and the picture of a known person. The picture is fetched if its address changed."""
        try:
            keep, picture = await self._picture(person, told.picture)
            nickname = clean_nickname(told.nickname or "") or ""
            await self.profiles.store(person, nickname, picture, keep=keep, at=self.clock())
        except StoreUnavailable as e:
            log.warning("profiles: cannot store a name and picture, trying again at the next login: %s", e)

    async def _picture(self, person: Person, address: str | None) -> tuple[bool, Picture | None]:
        """Return whether to keep the stored picture, and a new one."""
        if address is None:
            return False, None
        source = source_of(address)
        if await self.profiles.source(person) == source:
            return True, None
        content = await self.download.fetch(address, api_base=self.api_bases[person[0]])
        jpeg = await self.encoding.encode(content) if content else None
        return (False, Picture(jpeg, source)) if jpeg else (True, None)
