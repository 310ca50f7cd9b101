"""Earlier answers and other tickets' numbers and secrets are useless."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from harness import World, client

from models.scene import ALPHABET
from models.ticket import TicketId
from sandbox.chat import pieces
from service.app_keys import FEED
from service.crypto.keyring import ClientKeys, Keyring

MANY = 20_000


def tickets(count: int) -> list[TicketId]:
    """Return tickets as they are made within the same second, the same ones in every run."""
    draw = random.Random(1)
    nonces_and_tags = ("".join(draw.choices(ALPHABET, k=5 + 16)) for _ in range(count))
    return [TicketId(f"CBrAFkA{drawn}") for drawn in nonces_and_tags]


@pytest.fixture(scope="module")
def keys() -> ClientKeys:
    return Keyring.derive(("k" * 40,), ["shop", "club"]).newest("shop")


def assert_uniform(seen: Iterable[int], kinds: int) -> None:
    """Fail when what is seen, each from 0 to below *kinds*, is far from even: chi-square by eight deviations."""
    counts = Counter(seen)
    expected = counts.total() / kinds
    assert expected > 20
    chi_square = sum((counts[kind] - expected) ** 2 for kind in range(kinds)) / expected
    assert chi_square < kinds - 1 + 8 * (2 * (kinds - 1)) ** 0.5


def pairs(values: Sequence[int], modulus: int) -> list[int]:
    """Return by how much each value differs from the one before."""
    return [(after - before) % modulus for before, after in pairwise(values)]


def test_numbers_are_drawn_evenly_and_say_nothing_of_the_next_tickets(keys: ClientKeys) -> None:
    """Red when `confirmation.numbers` draws from fewer than 90."""
    drawn = [keys.numbers(ticket) for ticket in tickets(MANY)]
    matches = [int(one.match) - 10 for one in drawn]
    assert_uniform(matches, 90)
    assert_uniform(pairs(matches, 90), 90)


def test_the_three_that_are_offered_do_not_say_which_is_right(keys: ClientKeys) -> None:
    """Red when `confirmation.numbers` does not rotate its offer, or draws those below the match less often."""
    drawn = [keys.numbers(ticket) for ticket in tickets(MANY)]
    decoys = [(int(decoy) - int(one.match)) % 90 for one in drawn for decoy in {*one.offered} - {one.match}]
    assert_uniform((above - 1 for above in decoys), 89)
    assert_uniform((one.offered.index(one.match) for one in drawn), 3)
    assert_uniform((sorted(one.offered).index(one.match) for one in drawn), 3)


def test_secrets_share_nothing_but_their_clients_hint(keys: ClientKeys) -> None:
    """Red when `ClientKeys.secret` leaves the nonce out."""
    secrets = [keys.secret(ticket) for ticket in tickets(MANY // 10)]
    hints = {secret[:4] for secret in secrets}
    assert hints == {keys.hint}
    assert Keyring.derive(("k" * 40,), ["shop", "club"]).newest("club").hint != keys.hint
    assert not any(keys.hint in ticket for ticket in tickets(MANY // 10))
    assert len({secret[4:] for secret in secrets}) == len(secrets)
    for place in range(4, len(secrets[0])):
        symbols = [ALPHABET.index(secret[place]) for secret in secrets]
        assert_uniform(symbols, 64)
        assert_uniform(pairs(symbols, 64), 64)


def test_the_next_ticket_differs_in_everything(keys: ClientKeys) -> None:
    """Red when any of these is derived from less than the whole ticket."""
    made: dict[str, Callable[[TicketId], str]] = {
        "secret": lambda ticket: keys.secret(ticket)[4:],
        "mark": keys.mark,
        "numbers": lambda ticket: "".join(keys.numbers(ticket).offered),
    }
    for ticket in tickets(20):
        neighbours = [
            TicketId(ticket[:at] + ALPHABET[ALPHABET.index(ticket[at]) ^ 1] + ticket[at + 1 :])
            for at in range(len(ticket))
        ]
        for derive in made.values():
            mine = derive(ticket)
            alike = [sum(a == b for a, b in zip(mine, derive(one), strict=True)) for one in neighbours]
            assert sum(alike) < len(mine) * len(neighbours) * 0.4
            assert max(alike) <= max(5, len(mine) // 2)


async def test_a_scan_again_after_the_answer_changes_nothing_and_asks_nothing(make: Any) -> None:
    """Red when neither `ScanHandler._answer` nor `_ask` looks whether the ticket has ended."""
    world: World = await make(clients={"shop": client("shop", confirm="choose"), "club": client("club")})
    world.clock.hold()
    person, other, page = await world.person(), await world.person(), await world.login()
    asked = await world.scan(person, page)
    match = (await page.poll())["match"]
    ended_with = await world.say(person, match)
    before = await page.poll()
    assert await world.scan(person, page) == asked  # in the same second it is the same push to WeChat
    for lost in (False, True):
        if lost:
            await world.redis.flushall()
            world.app[FEED]._cache.clear()  # this process remembers, too
        world.clock.advance(2)
        again = await world.scan(person, page)
        assert again == ended_with
        assert pieces(again or "")[0].text == again
        assert "Another person" in (await world.scan(other, page) or "")
        for text in (match, "Yes", "Not me"):
            assert await world.say(other, text) is None
            await world.say(person, text)
        assert await page.poll() | {"expires_in": 0} == before | {"expires_in": 0}
    assert (await world.exchange(before["code"])).status == 200
