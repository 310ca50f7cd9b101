"""The result of a check, as it is printed."""

from dataclasses import dataclass
from typing import Final

_MARKS: Final = {True: "good", None: "warning", False: "failed"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One result; `ok` is None for a warning."""

    ok: bool | None
    subject: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        found = f"{_MARKS[self.ok]:<9}{self.subject}: {self.message}"
        return f"{found}\n{'':9}remedy: {self.remedy}" if self.remedy else found


REACH: Final = "check that the hosts under {} in the configuration exist and are reachable from here"
