"""The result of a check, as it is printed."""

from dataclasses import dataclass
from typing import Final

_MARKS: Final = {True: "good", None: "warning", False: "failed"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One result; `ok` is None for a warning.

    `untested` is what cannot be tested from here: then `message` says so, and `remedy` what to check by hand.
    """

    ok: bool | None
    subject: str
    message: str
    remedy: str = ""
    untested: bool = False

    def __str__(self) -> str:
        mark = "note" if self.untested else _MARKS[self.ok]
        found = f"{mark:<9}{self.subject}: {_printable(self.message)}"
        return f"{found}\n{'':9}remedy: {_printable(self.remedy)}" if self.remedy else found


def _printable(text: str) -> str:
    """Return *text* without control characters, which a terminal obeys: it may quote a server of others."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


REACH: Final = "check that the hosts under {} in the configuration exist and are reachable from here"
