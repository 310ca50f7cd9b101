"""An answer whose names and pictures cannot be read goes without them: its code has been used up.

Red when the failure is an error of the request.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from profile_sign_in import town
from redirecting import WEBSITE_LOGIN

from models.tables.profiles import profiles
from service.app_keys import PROFILES


async def test_a_name_that_cannot_be_read_costs_no_exchange(make: Callable[..., Any]) -> None:
    at = await town(make, WEBSITE_LOGIN)
    assert (await at.bound("42"))["profile"]
    code = await at.code()
    sealed = sa.update(profiles).values(sealed_by="another-key")
    assert at.world.app
    await at.world.app[PROFILES].database.attempt(lambda connection: connection.execute(sealed))
    redeemed = await (await at.world.exchange(code)).json()
    assert (redeemed["user_id"], redeemed["profile"]) == ("42", None)
    assert [one["profile"] for one in await at.world.bindings("42")] == [None]
