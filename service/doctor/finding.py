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
        found = f"{mark:<9}{self.subject}: {self.message}"
        return f"{found}\n{'':9}remedy: {self.remedy}" if self.remedy else found


REACH: Final = "check that the hosts under {} in the configuration exist and are reachable from here"
