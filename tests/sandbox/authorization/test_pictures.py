"""Pictures and nicknames of people: red when a fault is another than its name says, or a change is not told."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse
from authorizing import WeChat
from picture_files import read
from yarl import URL

from sandbox.people import Person


async def told(wechat: WeChat, person: Person) -> dict[str, Any]:
    """Return what a login at a website tells of the person."""
    token = await wechat.exchange(await wechat.code(person))
    return await wechat.sns("userinfo", access_token=token["access_token"], openid=token["openid"])


async def address(wechat: WeChat, person: Person) -> str:
    return path(await told(wechat, person))


def path(about: dict[str, Any]) -> str:
    return URL(about["headimgurl"]).path


async def fetched(wechat: WeChat, person: Person, fault: str | None = None) -> ClientResponse:
    await wechat.post("picture_fault", user=person.id, fault=fault)
    return await wechat.client.get(await address(wechat, person), allow_redirects=False)


async def test_each_person_has_a_picture_of_their_own(wechat: WeChat) -> None:
    pictures = [await (await fetched(wechat, await wechat.anna())).read() for _ in range(2)]
    assert pictures[0] != pictures[1]
    image = read(pictures[0])
    assert (image.format, image.size) == ("PNG", (132, 132))
    assert image.getpixel((5, 5)) != image.getpixel((66, 52)) == image.getpixel((66, 120))


async def test_a_change_is_told_at_the_next_login_and_the_former_address_ends(wechat: WeChat) -> None:
    anna = await wechat.anna()
    before = await address(wechat, anna)
    user = await wechat.post("change_profile", user=anna.id, nickname="Änna\x14", picture=True)
    assert (user["id"], user["nickname"], user["language"]) == (anna.id, "Änna\x14", "zh_CN")
    after = await told(wechat, anna)
    assert after["nickname"] == "Änna\x14"
    assert (await wechat.client.get(before)).status == 404
    assert (await wechat.client.get(await address(wechat, anna))).status == 200


async def test_a_nickname_alone_leaves_the_picture(wechat: WeChat) -> None:
    anna = await wechat.anna()
    before = await address(wechat, anna)
    await wechat.post("change_profile", user=anna.id, nickname="https://evil.example \u202e😀")
    assert await address(wechat, anna) == before
    assert (await told(wechat, anna))["nickname"] == "https://evil.example \u202e😀"


@pytest.mark.parametrize("nickname", ["", " ", "\ud83d", "x" * 2049], ids=["empty", "blank", "surrogate", "long"])
async def test_a_nickname_has_text_that_can_be_sent(wechat: WeChat, nickname: str) -> None:
    anna = await wechat.anna()
    await wechat.post("change_profile", user=anna.id, nickname=nickname, status=409)
    assert (await told(wechat, anna))["nickname"] == "Anna"


async def test_who_scanned_a_code_before_the_change_can_still_allow(wechat: WeChat) -> None:
    anna, consent = await wechat.anna(), await wechat.login()
    wechat.authorization.scan(anna, consent)
    await wechat.post("change_profile", user=anna.id, nickname="Anne")
    assert (await wechat.post("allow", user=anna.id, consent=consent))["state"] == "allowed"


async def test_a_virtual_person_has_another_picture(wechat: WeChat) -> None:
    anna = await wechat.anna()
    own = await address(wechat, anna)
    wechat.authorization.show_snapshots(anna, on=True)
    token = await wechat.exchange(await wechat.inside(anna, "snsapi_userinfo"), wechat.account)
    virtual = await wechat.sns("userinfo", access_token=token["access_token"], openid=token["openid"])
    assert path(virtual) != own
    assert (await wechat.client.get(path(virtual))).status == 200


@pytest.mark.parametrize(
    ("fault", "headimgurl"),
    [
        ("no_picture", ""),
        ("other_host", "https://pictures.example/132"),
        ("private_address", "http://169.254.169.254/latest/meta-data/"),
    ],
)
async def test_a_fault_of_the_address_is_told(wechat: WeChat, fault: str, headimgurl: str) -> None:
    anna = await wechat.anna()
    assert await wechat.post("picture_fault", user=anna.id, fault=fault) == {"fault": fault}
    assert (await told(wechat, anna))["headimgurl"] == headimgurl


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "beginning"),
    [
        ("missing", 404, "text/plain", b"404"),
        ("redirect", 302, "text/plain", b"302"),
        ("not_a_picture", 200, "image/png", b"<!doctype html>"),
        ("wrong_type", 200, "text/plain", b"\x89PNG"),
        ("svg", 200, "image/svg+xml", b"<svg"),
        ("bomb", 200, "image/png", b"\x89PNG"),
        ("truncated", 200, "image/png", b"\x89PNG"),
        ("animated", 200, "image/gif", b"GIF89a"),
    ],
)
async def test_a_fault_of_the_answer_is_as_its_name_says(
    wechat: WeChat, fault: str, status: int, content_type: str, beginning: bytes
) -> None:
    response = await fetched(wechat, await wechat.anna(), fault)
    body = await response.read()
    assert (response.status, response.content_type, body[: len(beginning)]) == (status, content_type, beginning)
    assert len(body) < 64 * 1024


async def test_a_redirect_leads_to_the_picture(wechat: WeChat) -> None:
    response = await fetched(wechat, await wechat.anna(), "redirect")
    assert (await wechat.client.get(response.headers["Location"], allow_redirects=False)).status == 200


async def test_a_bomb_has_many_pixels(wechat: WeChat) -> None:
    body = await (await fetched(wechat, await wechat.anna(), "bomb")).read()
    assert body[16:24] == (12_000).to_bytes(4) * 2


async def test_an_animation_has_two_frames_of_two_colours(wechat: WeChat) -> None:
    image = read(await (await fetched(wechat, await wechat.anna(), "animated")).read())
    assert image.size == (132, 132)
    frames = []
    for number in (0, 1):
        image.seek(number)
        frames.append(image.convert("RGB").getcolors())
    assert [len(colours or ()) for colours in frames] == [1, 1]
    assert frames[0] != frames[1]


async def test_a_long_picture_has_20_mebibytes_of_which_no_header_tells(wechat: WeChat) -> None:
    response = await fetched(wechat, await wechat.anna(), "long")
    assert response.content_length is None
    assert len(await response.read()) > 20 * 1024 * 1024


async def test_a_slow_picture_comes_byte_by_byte(wechat: WeChat) -> None:
    response = await fetched(wechat, await wechat.anna(), "slow")
    assert await response.content.readany() == b"\x89"
    with pytest.raises((TimeoutError, ClientError)):
        async with asyncio.timeout(0.5):
            await response.read()
    response.close()


async def test_a_fault_for_all_spares_who_has_one_of_their_own(wechat: WeChat) -> None:
    anna, ben = await wechat.anna(), await wechat.sandbox.create_user("Ben")
    await wechat.post("picture_fault", user=anna.id, fault="svg")
    await wechat.post("picture_fault", fault="missing")
    assert [wechat.authorization.picture_fault(one) for one in (anna, ben)] == ["svg", "missing"]
    await wechat.post("picture_fault", user=anna.id)
    await wechat.post("picture_fault")
    assert [wechat.authorization.picture_fault(one) for one in (anna, ben)] == [None, None]


async def test_an_unknown_fault_or_user_is_refused(wechat: WeChat) -> None:
    await wechat.post("picture_fault", fault="ugly", status=400)
    await wechat.post("picture_fault", user="u_none", fault="svg", status=404)
    await wechat.post("change_profile", user="u_none", status=404)
