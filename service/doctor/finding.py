"""What a check found, as it is printed."""

from dataclasses import dataclass
from typing import Final

_MARKS: Final = {True: "good", None: "warning", False: "failed"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` is None for what works but should be different."""

    ok: bool | None
    subject: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        found = f"{_MARKS[self.ok]:<9}{self.subject}: {self.message}"
        return f"{found}\n{'':9}remedy: {self.remedy}" if self.remedy else found


REACH: Final = "see that what the {} settings name is there and can be reached from here"
