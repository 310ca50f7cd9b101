"""Vectors 1 and 2 of wechat-protocol.md 3.5 in both directions, and texts that do not decrypt."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.crypto import BadCipher, Sealer, sign

ONE = Sealer.of("A" * 43, appid="wxba5fad812f8e6fb9")
ONE_PUSH = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsX"
    "UnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajA"
    "sjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
ONE_MESSAGE = (
    b'{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,'
    b'"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
)
ONE_REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="

TWO = Sealer.of("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", appid="wx2c2769f8efd9abc2")
TWO_PUSH = (
    "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9"
    "FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3y"
    "t+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v"
    "6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
)
TWO_MESSAGE = b"""<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>
<FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>
<CreateTime>1409735668</CreateTime>
<MsgType><![CDATA[text]]></MsgType>
<Content><![CDATA[abcdteT]]></Content>
<MsgId>6054768590064713728</MsgId>
</xml>"""


@pytest.mark.parametrize(
    ("parts", "signature"),
    [
        (("AAAAA", "1714036504", "1514711492"), "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        (("AAAAA", "1714037059", "486452656"), "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        (("AAAAA", "1714112445", "415670741"), "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
        (("AAAAA", "1714112445", "415670741", ONE_PUSH), "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
        (("AAAAA", "1713424427", "415670741", ONE_REPLY), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
        (("spamtest", "1409735669", "1320562132"), "16120ec1b8dbb870f510d87ce6bc2463eae6ca1a"),
        (("spamtest", "1409735669", "1320562132", TWO_PUSH), "5d197aaffba7e9b25a30732f161a50dee96bd5fa"),
    ],
)
def test_signatures_of_the_vectors(parts: tuple[str, ...], signature: str) -> None:
    assert sign(*parts) == signature


@pytest.mark.parametrize(
    ("sealer", "random", "message", "encrypted"),
    [
        (ONE, b"a8eedb185eb2fecf", ONE_MESSAGE, ONE_PUSH),
        (
            ONE,
            b"707722b803182950",
            json.dumps({"demo_resp": "good luck"}, separators=(",", ":")).encode(),
            ONE_REPLY,
        ),
        (TWO, b"89465c840c5f116f", TWO_MESSAGE, TWO_PUSH),
    ],
)
def test_vectors_both_ways(sealer: Sealer, random: bytes, message: bytes, encrypted: str) -> None:
    assert sealer.seal(message, random=random) == encrypted
    assert sealer.open(encrypted) == message


@given(st.binary(max_size=200))
def test_what_is_sealed_opens(message: bytes) -> None:
    assert ONE.open(ONE.seal(message)) == message


@pytest.mark.parametrize(
    ("encrypted", "why"),
    [
        ("", "whole number"),
        ("!!!!", "base64"),
        ("ünot", "base64"),
        (base64.b64encode(b"short").decode(), "whole number"),
        (TWO.seal(b"hi", random=b"0" * 16), "padding"),
        (Sealer(ONE.key, "wxother").seal(b"hi", random=b"0" * 16), "appid"),
    ],
)
def test_what_does_not_open_says_why(encrypted: str, why: str) -> None:
    with pytest.raises(BadCipher, match=why):
        ONE.open(encrypted)
