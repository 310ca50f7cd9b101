"""Calls to WeChat: requests, retries and failures.

Covers: service.wechat.transport.
"""

import asyncio
import json
import logging
import traceback
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from models.errors import WeChatUnavailable
from models.events import OpenId
from service.wechat import transport
from service.wechat.answers import Refused
from service.wechat.api import QrCode, Transport, UserInfo, WeChatApi, open_apis
from service.wechat.tokens import TokenCache
from service.wechat.transport import ApiAccount

MINUTES = timedelta(minutes=10)
QR = "qrcode/create"
SEND = "message/custom/send"
CODE = {"ticket": "gQH+8", "expire_seconds": 600, "url": "http://weixin.qq.com/q/02abc"}
PERSON = OpenId("o_person")
FOLLOWS = {"subscribe": 1, "openid": PERSON, "language": "zh_CN", "unionid": "u_1", "nickname": "", "sex": 0}


@pytest.fixture
def tokens(redis: Redis, http: ClientSession) -> TokenCache:
    return TokenCache(redis, http=http)


@pytest.fixture
def api(account: ApiAccount, tokens: TokenCache, http: ClientSession) -> WeChatApi:
    return WeChatApi(account, tokens=tokens, http=http)


async def test_a_code_is_made(api: WeChatApi, wechat: Any) -> None:
    wechat.script[QR] = [CODE]
    made = await api.create_qr("bind_x", lifetime=MINUTES)
    assert made == QrCode("gQH+8", "http://weixin.qq.com/q/02abc", 600)
    assert wechat.bodies[QR] == [
        {
            "expire_seconds": 600,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": "bind_x"}},
        }
    ]
    assert wechat.asked[QR][0].method == "POST"
    assert wechat.asked[QR][0].content_type == "application/json"
    assert wechat.tokens_used(QR) == ["token-1"]


async def test_a_code_lives_no_shorter_than_asked(api: WeChatApi, wechat: Any) -> None:
    wechat.script[QR] = [{**CODE, "expire_seconds": 0}]
    made = await api.create_qr("bind_x", lifetime=timedelta(seconds=59.2))
    assert wechat.bodies[QR][0]["expire_seconds"] == made.expires_in == 60


@pytest.mark.parametrize(
    ("answer", "follower"),
    [
        (FOLLOWS, UserInfo(subscribed=True, unionid="u_1", language="zh_CN")),
        ({"subscribe": 1, "openid": PERSON, "language": ""}, UserInfo(True, None, None)),
        ({**FOLLOWS, "language": ["en"]}, UserInfo(True, "u_1", None)),
        ({**FOLLOWS, "language": "中文", "remark": "\ud83d"}, UserInfo(True, "u_1", None)),
        ({"subscribe": 0, "openid": PERSON}, UserInfo(False, None, None)),
        (
            {"subscribe": 0, "openid": PERSON, "tagid_list": [], "unionid": "u_1"},
            UserInfo(False, "u_1", None),
        ),
    ],
)
async def test_a_person_is_told_about(
    api: WeChatApi, wechat: Any, answer: dict[str, Any], follower: UserInfo
) -> None:
    wechat.script["user/info"] = [answer]
    assert await api.user_info(PERSON) == follower
    query = wechat.asked["user/info"][0].query
    assert dict(query) == {"openid": PERSON, "lang": "zh_CN", "access_token": "token-1"}


async def test_control_characters_in_a_name_are_read_over(api: WeChatApi, wechat: Any) -> None:
    wechat.script["user/info"] = [b'{"subscribe":1,"remark":"a\x08\nb","language":"en"}']
    assert await api.user_info(PERSON) == UserInfo(subscribed=True, unionid=None, language="en")


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
async def test_a_stale_token_is_replaced_once(api: WeChatApi, wechat: Any, errcode: int) -> None:
    wechat.script[QR] = [{"errcode": errcode, "errmsg": "invalid credential"}, CODE]
    assert await api.create_qr("bind_x", lifetime=MINUTES)
    assert wechat.tokens_used(QR) == ["token-1", "token-2"]


async def test_a_stale_token_is_not_replaced_twice(api: WeChatApi, wechat: Any) -> None:
    wechat.script[QR] = [{"errcode": 40001, "errmsg": ""}, {"errcode": 42001, "errmsg": ""}]
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    assert caught.value.errcode == 42001
    assert len(wechat.asked[QR]) == len(wechat.asked["stable_token"]) == 2


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 40003, 40052, 41001, 45009, 45011, 47001, 48001, -1000])
async def test_a_refusal_is_not_asked_again(api: WeChatApi, wechat: Any, errcode: int) -> None:
    wechat.script[QR] = [{"errcode": errcode, "errmsg": "no"}]
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    assert (caught.value.errcode, caught.value.detail) == (errcode, "WeChat did not create the QR code")
    assert len(wechat.asked[QR]) == len(wechat.asked["stable_token"]) == 1


async def test_a_busy_system_is_asked_thrice(api: WeChatApi, wechat: Any) -> None:
    busy = {"errcode": -1, "errmsg": "system error"}
    wechat.script[QR] = [busy, busy, CODE]
    assert await api.create_qr("bind_x", lifetime=MINUTES)
    wechat.script[QR] = [busy]
    wechat.asked[QR].clear()
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    assert caught.value.errcode == -1
    assert len(wechat.asked[QR]) == 3


async def test_a_cut_connection_is_tried_once_more(api: WeChatApi, wechat: Any) -> None:
    wechat.script[QR] = [None, CODE]
    assert await api.create_qr("bind_x", lifetime=MINUTES)
    wechat.script[QR] = [None]
    wechat.asked[QR].clear()
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    assert caught.value.errcode is None
    assert len(wechat.asked[QR]) == 2


async def test_a_question_may_be_asked_twice(api: WeChatApi, wechat: Any) -> None:
    wechat.script["user/info"] = [b"<html>", FOLLOWS]
    assert (await api.user_info(PERSON)).subscribed


async def test_an_answer_that_is_none_is_one_warning(
    api: WeChatApi, wechat: Any, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.script["user/info"], page = [b"<html>Log in to this network</html>"], "35 bytes, beginning"
    with pytest.raises(WeChatUnavailable):
        await api.user_info(PERSON)
    [told] = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert f'HTTP 200, no JSON object: text/plain, {page} "<html>Log in' in told


async def test_what_might_be_done_already_is_not_repeated(
    account: ApiAccount, tokens: TokenCache, http: ClientSession, wechat: Any
) -> None:
    wechat.script["message/custom/send"] = [None]
    with pytest.raises(Refused):
        await Transport(account, tokens=tokens, http=http).message.send_text(PERSON, "hello")
    assert len(wechat.asked["message/custom/send"]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b'"ok"',
        b"\xff\xfe",
        {},
        {"errcode": 0, "errmsg": "ok"},
        {**CODE, "url": None},
        {**CODE, "url": ""},
        {**CODE, "ticket": 5},
        {**CODE, "url": "http://weixin.qq.com/q/\ud83d"},
        json.dumps(CODE).encode() + b" " * 65_536,
        {**CODE, "errcode": {}},
    ],
)
async def test_no_code_in_the_answer_is_a_failure(api: WeChatApi, wechat: Any, answer: Any) -> None:
    wechat.script[QR] = [answer]
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    assert caught.value.errcode is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"subscribe": "1"},
        {"subscribe": 2},
        {"subscribe": True},
        {**FOLLOWS, "unionid": 5},
        {**FOLLOWS, "unionid": "u 1"},
        {**FOLLOWS, "unionid": "u" * 65},
    ],
)
async def test_no_person_in_the_answer_is_a_failure(api: WeChatApi, wechat: Any, answer: Any) -> None:
    wechat.script["user/info"] = [answer]
    with pytest.raises(WeChatUnavailable):
        await api.user_info(PERSON)


CHANGE = "changeopenid"


def changed(*pairs: tuple[str, object], ok: str = "ok") -> dict[str, Any]:
    return {"errcode": 0, "result_list": [{"ori_openid": it, "new_openid": to, "err_msg": ok} for it, to in pairs]}


async def test_new_openids_are_told_of_those_that_wechat_knows(api: WeChatApi, wechat: Any) -> None:
    answer = changed(("oA", "oA2"))
    answer["result_list"].append({"ori_openid": "oB", "err_msg": "ori_openid error"})
    wechat.script[CHANGE] = [None, answer]
    assert await api.change_openids("gh_old", [OpenId("oA"), OpenId("oB")]) == {"oA": "oA2"}
    assert wechat.bodies[CHANGE][-1] == {"from_appid": "gh_old", "openid_list": ["oA", "oB"]}


@pytest.mark.parametrize(
    "answer",
    [
        {"errcode": 0},
        {"result_list": ["oA"]},
        changed(("oC", "oC2")),
        changed(("oA", "oA2"), ("oB", "oA2")),
        changed(("oA", "")),
        changed(("oA", "o" * 65)),
    ],
    ids=["no list", "no objects", "not asked for", "one of two people", "empty", "too long"],
)
async def test_new_openids_that_were_not_asked_for_or_belong_to_two_people_are_refused(
    api: WeChatApi, wechat: Any, answer: dict[str, Any]
) -> None:
    """Red when `_changed` takes what WeChat cannot have meant: a person would be let in as another."""
    wechat.script[CHANGE] = [answer]
    with pytest.raises(WeChatUnavailable):
        await api.change_openids("gh_old", [OpenId("oA"), OpenId("oB")])


@pytest.mark.parametrize("status", [302, 404, 500, 502])
async def test_another_http_status_is_a_failure(
    account: ApiAccount, tokens: TokenCache, http: ClientSession, wechat: Any, status: int
) -> None:
    await tokens.get(account)
    wechat.script[QR], wechat.status = [CODE], status
    with pytest.raises(WeChatUnavailable) as caught:
        await WeChatApi(account, tokens=tokens, http=http).create_qr("bind_x", lifetime=MINUTES)
    assert caught.value.errcode is None


async def test_a_call_ends_at_its_deadline(
    api: WeChatApi, wechat: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transport, "DEADLINE", 0.2)
    wechat.script[QR], wechat.hold = [CODE], asyncio.Event()
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    wechat.hold.set()
    assert caught.value.errcode is None
    assert "qrcode/create failed for wx0123456789abcdef: no answer in time" in caplog.text


async def test_a_missing_token_names_its_own_errcode(api: WeChatApi, wechat: Any) -> None:
    wechat.script["stable_token"] = [{"errcode": 40164, "errmsg": "invalid ip 192.0.2.1"}]
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    assert (caught.value.errcode, caught.value.detail) == (40164, "WeChat returned no access token")


@pytest.mark.parametrize("answer", [{"errcode": 48001, "errmsg": "api unauthorized rid: 0a-1b-2c"}, None, b"<"])
async def test_neither_log_nor_error_holds_a_secret(
    api: WeChatApi, wechat: Any, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    caplog.set_level(logging.DEBUG, logger="service")
    wechat.script[QR] = [answer]
    with pytest.raises(WeChatUnavailable) as caught:
        await api.create_qr("bind_x", lifetime=MINUTES)
    told = caplog.text + "".join(traceback.format_exception(caught.value))
    assert "qrcode/create failed for wx0123456789abcdef: errcode=" in told
    for secret in ("token-1", "the-secret", "access_token="):
        assert secret not in told


async def test_an_unreachable_host_is_a_failure(
    account: ApiAccount, tokens: TokenCache, http: ClientSession, unused_tcp_port: int
) -> None:
    await tokens.get(account)
    gone = ApiAccount(account.appid, "the-secret", f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(WeChatUnavailable) as caught:
        await WeChatApi(gone, tokens=tokens, http=http).create_qr("bind_x", lifetime=MINUTES)
    assert caught.value.errcode is None


async def test_no_error_down_the_chain_quotes_the_address(
    account: ApiAccount, tokens: TokenCache, http: ClientSession
) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"this is no HTTP\r\n\r\n")  # aiohttp's error for that quotes the whole URL
        await writer.drain()
        writer.close()

    await tokens.get(account)
    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        odd = ApiAccount(account.appid, "the-secret", f"http://127.0.0.1:{port}")
        with pytest.raises(WeChatUnavailable) as caught:
            await WeChatApi(odd, tokens=tokens, http=http).create_qr("bind_x", lifetime=MINUTES)
    fault: BaseException | None = caught.value
    while fault is not None:  # the whole chain, since error reporters walk it
        assert "token-1" not in f"{fault} {fault!r}"
        fault = fault.__cause__ or fault.__context__


async def test_wechatpy_never_fetches_a_token_of_its_own(
    account: ApiAccount, tokens: TokenCache, http: ClientSession
) -> None:
    transport = Transport(account, tokens=tokens, http=http)
    with pytest.raises(NotImplementedError):
        transport.fetch_access_token()
    with pytest.raises(NotImplementedError):
        _ = transport.access_token
    assert transport.secret is None


async def test_each_account_gets_its_api(redis: Redis, account: ApiAccount, wechat: Any) -> None:
    wechat.script[QR] = [CODE]
    async with open_apis({"main": account}, redis=redis) as apis:
        assert list(apis) == ["main"]
        assert (await apis["main"].create_qr("bind_x", lifetime=MINUTES)).ticket == "gQH+8"


def test_the_address_is_below_cgi_bin() -> None:
    for base in ("https://api.weixin.qq.com", "https://api.weixin.qq.com/"):
        assert ApiAccount("wx", "s", base).url(QR) == "https://api.weixin.qq.com/cgi-bin/qrcode/create"


async def test_a_text_is_sent_to_a_persons_chat(api: WeChatApi, wechat: Any) -> None:
    wechat.script[SEND] = [{"errcode": 0, "errmsg": "ok"}]
    await api.send_text(PERSON, '解绑 <a href="https://x.example">here</a>')
    text = {"content": '解绑 <a href="https://x.example">here</a>'}
    assert wechat.bodies[SEND] == [{"touser": PERSON, "msgtype": "text", "text": text}]


@pytest.mark.parametrize(("answer", "tries"), [(None, 1), ({"errcode": 45015}, 1), ({"errcode": -1}, 3)], ids=str)
async def test_a_text_is_not_sent_again_unless_wechat_is_busy(
    api: WeChatApi, wechat: Any, answer: Any, tries: int
) -> None:
    """Red when a message that was perhaps sent is sent twice."""
    wechat.script[SEND] = [answer]
    with pytest.raises(WeChatUnavailable) as failure:
        await api.send_text(PERSON, "hello")
    assert failure.value.errcode == (answer or {}).get("errcode")
    assert len(wechat.asked[SEND]) == tries
