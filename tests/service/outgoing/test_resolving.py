"""Name resolution for outgoing connections. Red when a look-up is repeated, is not bounded, or is not checked."""

import asyncio

import pytest
from names import Names

from models.ip_address import is_public
from service.outgoing.resolving import LOOK_UPS, BoundedResolver, GuardedResolver, NotPublic


def guarded(names: Names) -> GuardedResolver:
    return GuardedResolver(names, lambda _name, address: is_public(address))


async def test_public_addresses_are_passed_on_as_they_were_resolved_once() -> None:
    """Red when the name is resolved again after the check: the second answer may be another."""
    names = Names([["1.1.1.1", "2400:3200::1"], ["127.0.0.1"]])
    found = await guarded(names).resolve("shop.example", 443)
    assert [one["host"] for one in found] == ["1.1.1.1", "2400:3200::1"]
    assert names.asked == ["shop.example"]


@pytest.mark.parametrize(
    "ips",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "10.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2002:a00:1::"],
        ["fe80::1%1"],
    ],
    ids=["loopback", "one of two", "mapped", "NAT64", "6to4", "link-local"],
)
async def test_a_name_with_a_private_address_is_refused(ips: list[str]) -> None:
    with pytest.raises(NotPublic):
        await guarded(Names([ips])).resolve("shop.example", 443)


async def test_a_name_without_an_address_is_an_os_error() -> None:
    with pytest.raises(OSError, match="no address"):
        await guarded(Names([[]])).resolve("shop.example", 443)


async def test_the_check_gets_the_name() -> None:
    resolver = GuardedResolver(Names([["10.0.0.1"]]), lambda name, _address: name == "own.internal")
    assert await resolver.resolve("own.internal", 80)
    with pytest.raises(NotPublic):
        await resolver.resolve("shop.example", 443)


async def test_the_resolver_beneath_is_closed_with_it() -> None:
    names = Names([[]])
    await guarded(names).close()
    await BoundedResolver(names).close()
    assert names.asked == ["closed", "closed"]


async def test_name_servers_that_hang_hold_two_look_ups_at_most() -> None:
    """Red when a look-up whose caller gave up makes room for the next: each keeps a thread of the process."""
    names = Names([None])
    resolver = BoundedResolver(names)
    for number in range(4):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve(f"{number}.example", 443), 0.05)
    assert names.asked == [f"{number}.example" for number in range(LOOK_UPS)]
    await resolver.close()


async def test_all_that_wait_for_a_name_share_one_look_up() -> None:
    """Red when one site whose name server hangs takes the look-ups of the others."""
    names = Names([None, ["1.1.1.1"]])
    resolver = BoundedResolver(names)
    hanging = [asyncio.create_task(resolver.resolve("slow.example", 443)) for _ in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        assert await resolver.resolve("shop.example", 443)
    assert names.asked == ["slow.example", "shop.example"]
    await resolver.close()
    ended = await asyncio.gather(*hanging, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 3


async def test_a_look_up_that_ends_makes_room_and_its_answer_is_not_kept() -> None:
    names = Names([["1.1.1.1"]])
    resolver = BoundedResolver(names)
    for _ in range(LOOK_UPS + 1):
        async with asyncio.timeout(20):
            assert await resolver.resolve("shop.example", 443)
    assert names.asked == ["shop.example"] * (LOOK_UPS + 1)
