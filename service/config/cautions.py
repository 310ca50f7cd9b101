"""What is valid in a configuration and still deserves a warning, for check-config, serve and the doctor."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning about the setting at `path`, and what to do."""

    path: str
    message: str
    remedy: str


def cautions(settings: Settings) -> Iterator[Caution]:
    """Yield a caution for each account whose pushes nothing signs (wechat-protocol.md 3.2)."""
    for name, account in settings.accounts.items():
        if account.mode != "plain":
            continue
        unsigned = "nothing signs the bodies of its pushes, so an attacker who has seen one can forge any scan"
        if account.kind == "test":
            remedy = "use it for trials alone, and a verified service account in safe mode for real users"
            yield Caution(f"accounts.{name}.kind", f"a test account: {unsigned}", remedy)
        else:
            remedy = "choose safe mode in WeChat's console and set it here"
            yield Caution(f"accounts.{name}.mode", f"plain mode: {unsigned}", remedy)
