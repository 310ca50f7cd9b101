"""The main job through every real part: bind, log in, register, disconnect."""

from harness import World


async def test_a_scan_binds_and_a_later_scan_logs_in(world: World) -> None:
    page = await world.bind("42")
    assert (await page.poll())["status"] == "pending"
    person = await world.person()
    assert "bound" in (await world.scan(person, page) or "")
    assert (await page.poll())["outcome"] == "bound"
    assert [one["account"] for one in await world.bindings("42")] == ["main"]

    page = await world.login(state="xyz")
    await world.scan(person, page)
    state = await page.poll()
    assert (state["status"], state["outcome"]) == ("confirmed", "login")
    answer = await world.exchange(state["code"])
    assert answer.status == 200
    told = await answer.json()
    assert (told["user_id"], told["state"], told["via"]) == ("42", "xyz", "page")
    assert (await world.exchange(state["code"])).status == 400
    assert (await page.poll())["code"] is None


async def test_a_stranger_registers_and_disconnects(world: World) -> None:
    person = await world.person(following=False)
    page = await world.login()
    await world.scan(person, page)
    state = await page.poll()
    assert state["outcome"] == "register"
    told = await (await world.exchange(state["code"])).json()
    assert told["outcome"] == "register"
    body = {"user_id": "77", "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201
    assert (await world.site("POST", "/v1/bindings", body)).status == 200
    assert (await world.site("DELETE", "/v1/bindings/77")).status == 204
    assert (await world.site("DELETE", "/v1/bindings/77")).status == 404
    assert await world.bindings("77") == []


async def test_the_address_is_verified_as_the_console_does_it(world: World) -> None:
    assert await world.sandbox.verify() is None
