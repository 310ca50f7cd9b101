"""Takes a changed configuration without a restart. A configuration with faults changes nothing."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from models.errors import StoreUnavailable
from service import app_keys
from service.config.differences import differences, with_fixed
from service.config.review import cautions
from service.config.settings import ConfigError, Settings
from service.server.generations import Generations

log = logging.getLogger(__name__)

_PATIENCE: Final = 30.0
"""Seconds to build the new application: a store may hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What a reload did: lines that begin with the path of a setting."""

    changed: list[str]
    restart: list[str]
    """What takes effect only with a restart."""
    warnings: list[str]


@dataclass(slots=True, kw_only=True)
class Reloading:
    """Loads the settings again, one reload at a time."""

    generations: Generations
    load: Callable[[], Settings]
    """Raises ConfigError."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def reload(self) -> Reloaded:
        """Take the settings as they are now; new requests use them when this returns.

        Raises:
            ConfigError: they have faults; nothing has changed.
            StoreUnavailable: the database does not answer; nothing has changed.
        """
        async with self._turn:
            try:
                reloaded = await self._reload()
            except ConfigError as error:
                log.error("reload: refused, the settings stay as they were: %s", "; ".join(error.faults))  # noqa: TRY400
                raise
            except StoreUnavailable as error:
                log.error("reload: refused, the settings stay as they were: %s", error)  # noqa: TRY400
                raise
        log.info("reload: %s", ", ".join(reloaded.changed) or "nothing has changed")
        for line in (*reloaded.restart, *reloaded.warnings):
            log.warning("reload: %s", line)
        return reloaded

    async def run(self, asked: asyncio.Event) -> None:
        """Reload whenever *asked* is set, until cancelled."""
        while True:
            await asked.wait()
            asked.clear()
            with suppress(ConfigError, StoreUnavailable):  # logged
                await self.reload()

    async def _reload(self) -> Reloaded:
        old, keyring = self.generations.app[app_keys.SETTINGS], self.generations.app[app_keys.KEYRING]
        loaded = await asyncio.to_thread(self.load)  # a file may be slow to read
        new, fixed = with_fixed(old, loaded)
        await self.generations.retired()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.generations.replace(new)
        except TimeoutError:
            raise StoreUnavailable(f"a store did not answer within {_PATIENCE:g} seconds") from None
        # of a key in data_dir the settings tell nothing
        keys = [] if keyring.has_keys_of(self.generations.app[app_keys.KEYRING]) else ["secret_key: changed"]
        return Reloaded(
            changed=list(dict.fromkeys((*differences(old, new), *keys))),
            restart=[f"{path}: has changed, and takes effect with a restart" for path in fixed],
            warnings=[str(caution) for caution in cautions(new)],
        )
