"""The pictures of people: their addresses, and the faults that are switched on for them."""

import hashlib
from typing import Final

from sandbox.authorization.picture_files import SIDE
from sandbox.errors import Unknown
from sandbox.faults import PictureFault
from sandbox.people import People, Person

FOLDER: Final = "/mmopen/vi_32"
_ADDRESSES: Final = {
    PictureFault.NO_PICTURE: "",
    PictureFault.OTHER_HOST: "https://pictures.example/132",
    PictureFault.PRIVATE_ADDRESS: "http://169.254.169.254/latest/meta-data/",
}


class Pictures:
    """Each person has one; its address changes with it, and the former address then names nothing."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._faults: dict[str | None, PictureFault] = {}

    def set_fault(self, user: Person | str | None, fault: PictureFault | None) -> None:
        """Switch on a fault for this user, or for all when None; None for the fault is off. Raises Unknown."""
        key = None if user is None else self._people.get(user).id
        self._faults.pop(key, None)
        if fault is not None:
            self._faults[key] = fault

    def fault(self, person: Person) -> PictureFault | None:
        """Return what is switched on for the person, or else for all."""
        return self._faults.get(person.id, self._faults.get(None))

    def address(self, person: Person, *, base: str) -> str:
        """Return the `headimgurl` of the person; it does not contain their id."""
        fault = self.fault(person)
        own = f"{base}{FOLDER}/{_name(person)}/{SIDE}"
        return _ADDRESSES.get(fault, own) if fault else own

    def owner(self, name: str) -> Person:
        """Return whose picture has this name in its address. Raises Unknown."""
        for person in self._people.all():
            for shown in (person, person.virtual()):
                if _name(shown) == name:
                    return shown
        raise Unknown(f"no picture {name!r}")


def _name(person: Person) -> str:
    return hashlib.sha256(f"picture {person.picture} {person.id}".encode()).hexdigest()[:32]
