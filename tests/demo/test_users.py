import asyncio

import pytest

from demo.users import READY, Users


async def test_ready_users_come_in_with_their_own_names() -> None:
    users = Users()
    for name in READY:
        assert (await users.check(name, name)) is users.get(name)


@pytest.mark.parametrize(("name", "password"), [("anna", "ben"), ("anna", ""), ("nobody", "nobody"), ("", "")])
async def test_wrong_name_or_password_gives_nobody(name: str, password: str) -> None:
    assert await Users().check(name, password) is None


async def test_new_user_comes_in_and_is_found_by_id() -> None:
    users = Users()
    carol = await users.add("carol", "open sesame")
    assert await users.check("carol", "open sesame") is carol
    assert users.get(carol.id) is carol


async def test_name_is_given_once_even_to_two_at_once() -> None:
    users = Users()
    made = await asyncio.gather(users.add("carol", "first"), users.add("carol", "second"))
    assert sum(user is not None for user in made) == 1
    assert await users.add("anna", "another") is None


async def test_same_name_after_a_restart_is_another_id() -> None:
    before, after = await Users().add("carol", "secret"), await Users().add("carol", "secret")
    assert before.id != after.id


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("c", "secret"),
        ("c" * 33, "secret"),
        ("<b>", "secret"),
        ("carol\n", "secret"),
        ("carol", "abc"),
        ("carol", "p" * 129),
    ],
)
async def test_misshapen_name_or_password_is_refused(name: str, password: str) -> None:
    with pytest.raises(ValueError, match="name or password"):
        await Users().add(name, password)


async def test_password_is_not_kept() -> None:
    carol = await Users().add("carol", "open sesame")
    assert b"open sesame" not in carol.digest
    assert carol.digest != (await Users().add("carol", "open sesame")).digest
