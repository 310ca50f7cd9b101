"""What contract.md 8.5 says of identities, persons and bindings: sets and dictionaries, no code of the service.

Each method is one operation and returns what its caller is told.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Identity(NamedTuple):
    """A person as one account or app knows them."""

    account: str
    openid: str


Person = frozenset[Identity]
Conflict = tuple[str, frozenset[tuple[Identity, str]]]
"""A client, and the identities of one person with the users that they are bound to there."""


@dataclass(slots=True)
class Model:
    """The persons and their bindings. `platforms` names the Open Platform account of each account and app."""

    platforms: Mapping[str, str | None]
    """Accounts without one share a name; of an app without one it is None: its unionids join nothing."""
    unionids: dict[Identity, str | None] = field(default_factory=dict)
    """The identities that exist, with what WeChat last said of them."""
    persons: set[Person] = field(default_factory=set)
    """Which identities are one person, of those whose unionid was compared with others'."""
    bindings: dict[str, dict[Identity, str]] = field(default_factory=dict)
    """The users of each client, the oldest binding first."""
    apart: set[tuple[str, Identity]] = field(default_factory=set)
    """Identities that were disconnected alone, each at one client."""

    # -- identities and persons ---------------------------------------------------------------------------------

    def follow(self, identity: Identity) -> None:
        self.unionids.setdefault(identity, None)

    def person(self, identity: Identity) -> Person:
        """Return all that is known to be the same person."""
        return next((it for it in self.persons if identity in it), Person({identity}))

    def learn(self, identity: Identity, unionid: str) -> None:
        """Join what has the unionid now; what was joined by an earlier one stays. Nothing if it was erased."""
        within = self.platforms[identity.account]
        if identity not in self.unionids:
            return
        self.unionids[identity] = unionid
        if within is not None:
            same = [
                it for it, its in self.unionids.items() if its == unionid and self.platforms[it.account] == within
            ]
            joined = Person().union(*map(self.person, same))
            self.persons = {it for it in self.persons if not it & joined} | {joined}

    def unfollow(self, identity: Identity) -> None:
        """Erase one identity, and not its person."""
        self.unionids.pop(identity, None)
        self.persons = {rest for it in self.persons if (rest := it - {identity})}
        self.apart = {it for it in self.apart if it[1] != identity}
        for bound in self.bindings.values():
            bound.pop(identity, None)

    def erase(self, identity: Identity) -> None:
        """Erase a person."""
        for each in self.person(identity):
            self.unfollow(each)

    # -- bindings -----------------------------------------------------------------------------------------------

    def log_in(self, client: str, identity: Identity) -> str | None:
        """Scan; return the user, None for `register`."""
        self.follow(identity)
        bound = self._bound(client)
        if identity in bound or (client, identity) in self.apart:
            return bound.get(identity)
        theirs = [it for it in bound if it in self.person(identity)]
        former = [it for it in theirs if it.account == identity.account]  # WeChat has given them a new openid here
        if not theirs:
            return None
        user = bound[(former or theirs)[0]]
        if any(bound[it] == user and it.account == identity.account for it in bound if it not in former):
            return None
        for it in former[:1]:
            del bound[it]
        bound[identity] = user
        return user

    def bind(self, client: str, user: str, identity: Identity, *, replace: bool, move: bool) -> str:
        """Scan and confirm; return the outcome of the ticket, or the reason of its rejection."""
        self.follow(identity)
        bound, person = self._bound(client), self.person(identity)
        if bound.get(identity) == user:
            return "already_bound"
        taken = {it for it in person if bound.get(it, user) != user}
        excluded = {it for it in bound if bound[it] == user and self._excludes(it, identity)}
        if taken and not move:
            return "wechat_taken"
        if excluded and not replace:
            return "user_taken"
        for other in list(excluded):
            excluded |= {it for it in self.person(other) - person if bound.get(it) == user}
        for it in taken | excluded:
            del bound[it]
        bound[identity] = user
        self.apart.discard((client, identity))
        return "bound"

    def sign_up(self, client: str, user: str, identity: Identity, *, replace: bool) -> str:
        """Log in; if that is `register`, bind with the registration, which never moves a WeChat."""
        return self.log_in(client, identity) or self.bind(client, user, identity, replace=replace, move=False)

    def disconnect(self, client: str, user: str, account: str | None) -> int:
        """Remove the bindings of a user, or the one in an account; return how many."""
        bound = self._bound(client)
        ended = [it for it in bound if bound[it] == user and account in (None, it.account)]
        for it in ended:
            del bound[it]
        self.apart |= {(client, it) for it in ended if account is not None}
        return len(ended)

    # -- what can be seen of it ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        bound = {client: list(of.items()) for client, of in self.bindings.items() if of}
        return {
            "unionids": self.unionids,
            "persons": self.persons,
            "bindings": bound,
            "conflicts": self.conflicts(),
        }

    def answers(self, client: str) -> dict[Identity, str | None]:
        """Return the user that each identity would be logged in to, without doing so."""
        return {it: deepcopy(self).log_in(client, it) for it in self.unionids}

    def conflicts(self) -> set[Conflict]:
        """Return the persons who are bound to several users of a client."""
        at = [(client, bound, it) for client, bound in self.bindings.items() for it in self.persons]
        theirs = [
            (client, frozenset((it, bound[it]) for it in bound if it in person)) for client, bound, person in at
        ]
        return {(client, pairs) for client, pairs in theirs if len({user for _, user in pairs}) > 1}

    def _bound(self, client: str) -> dict[Identity, str]:
        return self.bindings.setdefault(client, {})

    def _excludes(self, one: Identity, other: Identity) -> bool:
        """Return whether a user has at most one of two: both in one account, or known to be two persons."""
        two = {self.person(one), self.person(other)}
        within = self.platforms[one.account] == self.platforms[other.account]
        return one.account == other.account or (within and len(two) == 2 and two <= self.persons)
