"""What must hold after every migration: no identity, binding or history entry is lost or doubled."""

from collections import Counter
from typing import Any

from migrating import Migration, new, old

from sandbox.people import Person

Rows = dict[str, list[Any]]


async def check_nothing_lost(moving: Migration, people: list[Person], before: Rows) -> None:
    """Compare all tables with those from *before*; everything is stored in the clear."""
    after = await moving.rows()
    assert _bound(people, before) == _bound(people, after), "a binding is lost, new, or another person's"
    assert _identities(people, after).keys() == _identities(people, before).keys(), "a person is lost"
    assert {name: count for name, count in _identities(people, after).items() if count > 2} == {}
    numbers = {row["id"] for row in after["followers"]}
    for name in ("bindings", "separations", "history", "endings"):
        referred = {row["follower_id"] for row in after[name]} - {None}
        assert referred <= numbers, f"{name} refers to a row that is gone"
    _check_persons(after)
    entries = [_entry(row) for row in after["history"]]
    assert entries[: len(before["history"])] == [_entry(row) for row in before["history"]]
    added = Counter((row["change"], row["door"]) for row in after["history"][len(before["history"]) :])
    assert set(added) <= {("migrated", "migration"), ("replaced", "migration")}
    gone = len(before["bindings"]) - len(after["bindings"])
    assert added["replaced", "migration"] == gone


def _check_persons(rows: Rows) -> None:
    """Check that each unionid is one person's where it was joined, and that an anchor is the row's own unionid."""
    persons: dict[tuple[str, str], int] = {}
    for row in rows["followers"]:
        assert row["anchor"] in (None, row["unionid"]), "the anchor is another unionid"
        if row["unionid"] and row["open_platform"] is not None:
            assert persons.setdefault((row["unionid"], row["open_platform"]), row["person_id"]) == row["person_id"]


def _person_of(people: list[Person]) -> dict[str, str]:
    return {openid: person.id for person in people for openid in (old(person), new(person))}


def _identities(people: list[Person], rows: Rows) -> Counter[str]:
    who = _person_of(people)
    return Counter(who[row["openid"]] for row in rows["followers"])


def _bound(people: list[Person], rows: Rows) -> set[tuple[str, str, str]]:
    """Return client, user and person of each binding."""
    who = _person_of(people)
    known = {row["id"]: who[row["openid"]] for row in rows["followers"]}
    return {(row["client"], row["user_id"], known[row["follower_id"]]) for row in rows["bindings"]}


def _entry(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "follower_id"}
