"""A primary binding that says too much, of another person or place, keeps no other from being made for ever.

Red when `resolve` passes only the bindings of the person to `_place`, or `_unmark_moved` is left out.
"""

import sqlalchemy as sa
from binding_rows import Bind, Resolve, known_follower, pairs

from models.binding import Bound
from models.events import OpenId
from service.bindings.repository import Bindings
from service.identities.followers import Followers
from service.identities.repository import Identities


async def test_a_second_person_of_a_user_is_recognised_at_a_further_account(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await known_follower(followers, "main", "oA", "uAnna")
    await binding("42", "oA")
    await binding("42", "oB", account="second")  # no unionid: perhaps the same person
    await known_follower(followers, "second", "oB", "uBert")
    await known_follower(followers, "third", "oC", "uBert")
    found = await resolving("third", "oC")
    assert found is not None
    assert found.user_id == "42"


async def test_a_second_person_of_a_user_is_recognised_under_a_new_appid(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await known_follower(followers, "main", "oA", "uAnna")
    await binding("42", "oA")
    await binding("42", "oB", account="second")
    await known_follower(followers, "second", "oB", "uBert")
    await known_follower(followers, "second", "oBnew", "uBert")
    found = await resolving("second", "oBnew")
    assert await pairs(bindings, "42") == [("42", "oA"), ("42", "oBnew")]
    assert found is not None


async def test_a_user_can_be_bound_in_another_open_platform_account_after_the_first_was_named(
    binding: Bind, bindings: Bindings, followers: Followers, identities: Identities
) -> None:
    await known_follower(followers, "main", "oA", "uAnna")
    await binding("42", "oA")
    identities.open_platforms = {"main": "acme", "second": ""}

    def again(connection: sa.Connection) -> None:
        known = identities.find(connection, "main", OpenId("oA"), hold=True)
        assert known is not None
        followers.join(connection, known)

    await followers.database.attempt(again)
    await known_follower(followers, "second", "oB", "uOfAnother")
    assert isinstance(await binding("42", "oB", account="second"), Bound)
