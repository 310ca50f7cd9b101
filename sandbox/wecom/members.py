"""Who belongs to which enterprise, and by which userid."""

import re
from typing import Final

from sandbox.errors import Impossible
from sandbox.people import Person

_FORM: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.@-]{0,63}")
_LETTERS: Final = re.compile(r"[^A-Za-z]")


class Members:
    """The members of all enterprises. A person without a userid is an outsider."""

    def __init__(self) -> None:
        self._userids: dict[tuple[str, str], str] = {}

    def userid(self, person: Person, corpid: str) -> str | None:
        """Return a member's userid in the enterprise, as it was entered; None for an outsider."""
        return self._userids.get((corpid, person.id))

    def enroll(self, person: Person, corpid: str, userid: str | None = None) -> str:
        """Make the person a member, and return the userid, which default is of the nickname.

        Raises Impossible when it is malformed or, in any case of its letters, another member's.
        """
        chosen = userid or f"{_LETTERS.sub('', person.nickname) or 'Member'}.{person.id[-8:].upper()}"
        if not _FORM.fullmatch(chosen):
            raise Impossible("userid: must have 1 to 64 letters, digits, _ - @ and . after a letter or digit")
        for (corp, other), taken in self._userids.items():
            if corp == corpid and other != person.id and taken.lower() == chosen.lower():
                raise Impossible(f"userid: {taken} belongs to another member")
        self._userids[corpid, person.id] = chosen
        return chosen

    def dismiss(self, person: Person, corpid: str) -> None:
        """Make the person an outsider."""
        self._userids.pop((corpid, person.id), None)
