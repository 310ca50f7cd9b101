"""The calls of mini programs refuse what WeChat refuses, and answer as WeChat does (wechat-protocol.md 11).

Red when a code opens another page than was asked for, a login works twice or for another mini program, or a
picture and an error cannot be told apart by their content type.
"""

from typing import Any

import pytest
from mini_programs import MINI, OTHER, Programs

from sandbox.errors import Unknown
from sandbox.quota import MINUTE, Quota


async def refusal(response: Any) -> int:
    assert response.headers["Content-Type"] == "application/json; encoding=utf-8"
    return int((await response.json(content_type=None))["errcode"])


async def test_a_code_is_a_picture_that_opens_its_page(mini: Programs) -> None:
    response = await mini.make(width=280, env_version="trial")
    assert response.content_type == "image/png"
    assert (await response.read()).startswith(b"\x89PNG")
    [code] = mini.programs.shown()
    opened = mini.programs.opened(code.url)
    assert opened == {
        "appid": MINI.appid,
        "name": MINI.name,
        "page": "pages/scan/index",
        "scene": "s1",
        "env_version": "trial",
    }
    mini.clock.now += 10 * 365 * 86_400
    assert mini.programs.opened(code.id) == opened


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"scene": None}, 40169),
        ({"scene": ""}, 40169),
        ({"scene": "s" * 33}, 40169),
        ({"scene": "50%"}, 40169),
        ({"page": "/pages/scan/index"}, 41030),
        ({"page": "pages/scan/index?a=1"}, 41030),
        ({"page": "pages/unknown"}, 41030),
        ({"env_version": "beta"}, 40097),
        ({"width": 279}, 40097),
        ({"width": "280"}, 40097),
    ],
    ids=str,
)
async def test_a_bad_request_for_a_code_is_refused(mini: Programs, changes: dict[str, Any], errcode: int) -> None:
    assert await refusal(await mini.make(**changes)) == errcode
    assert mini.programs.shown() == []


async def test_a_form_is_no_json(mini: Programs) -> None:
    query = {"access_token": await mini.token()}
    response = await mini.client.post("/wxa/getwxacodeunlimit", params=query, data={"scene": "s1"})
    assert await refusal(response) == 40169


async def test_a_page_of_an_unknown_release_needs_the_check_to_be_off(mini: Programs) -> None:
    told = await mini.post("mini_program_release", program=MINI.appid, known=False)
    assert told["release_known"] is False
    assert await refusal(await mini.make()) == 41030
    assert (await mini.make(check_path=False)).content_type == "image/png"


async def test_the_calls_of_a_minute_are_limited(mini: Programs) -> None:
    mini.programs.codes(MINI.appid).calls = Quota(0, period=MINUTE)
    assert await refusal(await mini.make()) == 45009


@pytest.mark.parametrize(("token", "errcode"), [("", 41001), ("unknown", 40001)])
async def test_a_code_needs_a_token_of_a_mini_program(mini: Programs, token: str, errcode: int) -> None:
    assert await refusal(await mini.make(token)) == errcode


async def test_an_expired_token_is_refused(mini: Programs) -> None:
    token = await mini.token()
    mini.clock.now += 7200
    assert await refusal(await mini.make(token)) == 42001


async def test_a_login_works_once_for_its_own_mini_program(mini: Programs) -> None:
    anna = await mini.sandbox.create_user("Anna")
    code = mini.programs.login(anna, MINI.appid)
    assert (await mini.session(code, OTHER))["errcode"] == 40029
    told = await mini.session(code)
    assert (told["openid"], told["unionid"]) == (anna.openid(MINI.appid), anna.unionid("acme"))
    assert told["session_key"]
    assert "errcode" not in told
    assert (await mini.session(code))["errcode"] == 40163
    assert "unionid" not in await mini.session(mini.programs.login(anna, OTHER.appid), OTHER)


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"js_code": ""}, 41008),
        ({"js_code": "made-up"}, 40029),
        ({"grant_type": "client_credential"}, 40002),
        ({"appid": "wxunknown"}, 40013),
        ({"secret": "e" * 32}, 40125),
    ],
    ids=str,
)
async def test_a_bad_login_is_refused(mini: Programs, changes: dict[str, str], errcode: int) -> None:
    anna = await mini.sandbox.create_user("Anna")
    assert (await mini.session(mini.programs.login(anna, MINI.appid), **changes))["errcode"] == errcode


async def test_a_login_ends_after_five_minutes(mini: Programs) -> None:
    code = mini.programs.login(await mini.sandbox.create_user("Anna"), MINI.appid)
    mini.clock.now += 300
    assert (await mini.session(code))["errcode"] == 40029


async def test_a_blocked_person_cannot_log_in(mini: Programs) -> None:
    anna = await mini.sandbox.create_user("Anna")
    mini.programs.block(anna, on=True)
    assert (await mini.session(mini.programs.login(anna, MINI.appid)))["errcode"] == 40226
    mini.programs.block(anna, on=False)
    assert "openid" in await mini.session(mini.programs.login(anna, MINI.appid))


async def test_answers_are_json_or_plain_text(mini: Programs) -> None:
    query = {"appid": MINI.appid}
    types = {(await mini.client.get("/sns/jscode2session", params=query)).content_type for _ in range(2)}
    assert types == {"application/json", "text/plain"}


async def test_a_plain_scheme_link_opens_the_page(mini: Programs) -> None:
    link = f"weixin://dl/business/?appid={MINI.appid}&path=pages/scan/index&query=scene%3Da_b&env_version=release"
    assert mini.programs.opened(link)["scene"] == "a_b"
    with pytest.raises(Unknown):
        mini.programs.opened(link.replace(MINI.appid, "wxunknown"))
