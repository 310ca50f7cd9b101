"""Phone numbers and codes: red when a code can be guessed, used late or twice, or is sent too often."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from shopper import Clock, Gateway

from demo.phones import HOUR, IN_ALL, LIFETIME, MINUTE, PER_ADDRESS, PER_NUMBER, TRIES, Code, Codes, folded

ANNA = "13900000001"


@pytest.fixture
def codes(gateway: Gateway, clock: Clock) -> Codes:
    return Codes(gateway.url, clock)


def code(clock: Clock, digits: str = "123456") -> Code:
    return Code(ANNA, digits, clock() + LIFETIME)


@pytest.mark.parametrize(
    "typed",
    [
        ANNA,
        "139 0000 0001",
        " 139-0000-0001 ",
        "+86 139 0000 0001",
        "+8613900000001",
        "8613900000001",
        "008613900000001",
        "１３９０００００００１",
        "＋８６　１３９　００００　０００１",
        "139\u00a00000\u20030001",
    ],
    ids=ascii,
)
def test_a_number_is_read_however_it_is_written(typed: str) -> None:
    assert folded(typed) == ANNA


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "anna",
        "1390000000",
        "139000000011",
        "12900000001",
        "23900000001",
        "010 1234 5678",
        "+1 139 0000 0001",
        "+85213900000001",
        "13900000001x",
        "13900000001,13900000002",
        "13900000001\x00",
        "١٣٩٠٠٠٠٠٠٠١",
        "१३९०००००००१",
        "139٠٠٠٠٠٠٠١",
        "1390000000\u00b2\u00b2",
        "9" * 10_000,
    ],
    ids=lambda typed: ascii(typed[:20]),
)
def test_what_is_no_mobile_number_of_mainland_china_is_refused(typed: str) -> None:
    assert folded(typed) is None


@pytest.mark.parametrize("typed", ["123456", " 123 456 ", "１２３４５６"], ids=ascii)
def test_a_code_proves_once(clock: Clock, typed: str) -> None:
    sent = code(clock)
    assert sent.proves(typed, now=clock())
    assert not sent.proves(typed, now=clock())


@pytest.mark.parametrize("typed", ["", "123457", "12345", "1234567", "né"], ids=ascii)
def test_another_code_proves_nothing(clock: Clock, typed: str) -> None:
    assert not code(clock).proves(typed, now=clock())


def test_five_wrong_codes_use_it_up(clock: Clock) -> None:
    nearly, wholly = code(clock), code(clock)
    for sent, wrong in ((nearly, TRIES - 1), (wholly, TRIES)):
        for _ in range(wrong):
            assert not sent.proves("000000", now=clock())
    assert nearly.proves("123456", now=clock())
    assert not wholly.proves("123456", now=clock())


def test_a_code_ends_after_five_minutes(clock: Clock) -> None:
    early, late = code(clock), code(clock)
    clock.now += LIFETIME - 1
    assert early.proves("123456", now=clock())
    clock.now += 1
    assert not late.proves("123456", now=clock())


def test_a_number_gets_one_code_a_minute_and_five_an_hour(codes: Codes, clock: Clock) -> None:
    for _ in range(PER_NUMBER):
        assert codes.allow(ANNA, "one address")
        assert not codes.allow(ANNA, "another address")
        clock.now += MINUTE
    assert not codes.allow(ANNA, "another address")
    assert codes.allow("13900000002", "one address")
    clock.now += HOUR - PER_NUMBER * MINUTE
    assert codes.allow(ANNA, "one address")


def test_an_address_gets_twenty_codes_an_hour(codes: Codes, clock: Clock) -> None:
    numbers = [f"139{number:08}" for number in range(PER_ADDRESS + 1)]
    assert [codes.allow(number, "one address") for number in numbers] == [True] * PER_ADDRESS + [False]
    assert codes.allow(numbers[-1], "another address")
    clock.now += HOUR
    assert codes.allow(numbers[0], "one address")


def test_all_together_get_two_hundred_codes_an_hour(codes: Codes, clock: Clock) -> None:
    allowed = [codes.allow(f"139{number:08}", str(number)) for number in range(IN_ALL + 1)]
    assert allowed == [True] * IN_ALL + [False]
    assert len(codes.sent) == IN_ALL
    clock.now += HOUR
    assert codes.allow(ANNA, "one address")
    assert len(codes.sent) == 1


@pytest.mark.parametrize(("lang", "words"), [("en", "Example shop"), ("zh", "【示例商城】")])
async def test_the_message_names_the_shop_and_the_code(
    codes: Codes, gateway: Gateway, clock: Clock, lang: str, words: str
) -> None:
    sent = await codes.send(ANNA, lang=lang)
    assert sent
    assert (sent.number, sent.digits, sent.ends_at) == (ANNA, gateway.code, clock() + LIFETIME)
    assert words in gateway.sent[-1]["text"]
    assert gateway.sent[-1]["number"] == ANNA


async def test_codes_differ(codes: Codes) -> None:
    sent = [await codes.send(ANNA, lang="en") for _ in range(20)]
    assert len({one.digits for one in sent if one}) > 15


async def test_a_gateway_that_fails_sends_no_code(codes: Codes, gateway: Gateway) -> None:
    gateway.status = 500
    assert await codes.send(ANNA, lang="en") is None
    codes.gateway = "http://127.0.0.1:9/"
    assert await codes.send(ANNA, lang="en") is None


async def test_a_code_does_not_follow_a_redirect(clock: Clock, gateway: Gateway) -> None:
    async def away(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": gateway.url})

    app = web.Application()
    app.router.add_post("/", away)
    async with TestServer(app) as server:
        await Codes(str(server.make_url("/")), clock).send(ANNA, lang="en")
    assert gateway.sent == []
