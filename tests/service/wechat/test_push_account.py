"""An account's callback: verification, clock skew, key rotation and replies.

Covers: service.wechat.build.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from multidict import MultiDict
from push_sender import (
    APPID,
    COMPATIBLE,
    FORMS,
    HEAD,
    NEW,
    NOW,
    OLD,
    OTHER,
    PLAIN,
    SAFE,
    Sender,
    scene,
)
from wechatpy.crypto import WeChatCrypto

from models.errors import BadSignature, InvalidRequest, Malformed
from models.events import Subscribed
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format
from service.wechat.push_account import Mode, PushAccount

Sample = Callable[[str], dict[str, Any]]


class TestVerification:
    @pytest.mark.parametrize("mode", list(Mode))
    def test_the_echo_comes_back_in_every_mode(self, sample: Sample, mode: Mode) -> None:
        push = sample("official_verification")
        given = push["account"]
        account = PushAccount("main", given["appid"], (given["token"],), (given["aes_key"],), mode)
        assert account.verify(push["query"]) == "4375120948345356249"

    def test_an_older_token_still_counts(self) -> None:
        account = replace(SAFE, tokens=("new", "token"))
        assert account.verify({**Sender().stamp(), "echostr": "hello"}) == "hello"

    @pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
    def test_nothing_of_the_signature_may_be_missing_or_wrong(self, name: str) -> None:
        query = {**Sender().stamp(), "echostr": "hello"}
        for wrong in ("", "0" * 40, "1"):
            with pytest.raises(BadSignature):
                SAFE.verify({**query, name: wrong})
        del query[name]
        with pytest.raises(BadSignature):
            SAFE.verify(query)

    def test_the_signature_comes_before_the_echo(self) -> None:
        with pytest.raises(BadSignature):
            SAFE.verify({})
        with pytest.raises(InvalidRequest):
            SAFE.verify(Sender().stamp())
        twice = MultiDict([*Sender().stamp().items(), ("echostr", "a"), ("echostr", "b")])
        with pytest.raises(InvalidRequest):
            SAFE.verify(twice)


class TestVouching:
    @pytest.mark.parametrize("account", [SAFE, COMPATIBLE, PLAIN])
    def test_a_signed_query_vouches_in_every_mode_while_it_is_fresh(self, account: PushAccount) -> None:
        """Red for each check that `has_signed_query` leaves out."""
        account = replace(account, tokens=("new", "token"), max_skew=timedelta(seconds=300))
        now = datetime.fromtimestamp(1700000001, UTC)
        query = Sender().stamp("whatever")
        assert account.has_signed_query(query, now=now)
        assert not account.has_signed_query(query, now=now + timedelta(seconds=301))
        for name in ("signature", "timestamp", "nonce"):
            for wrong in ("", "1", query[name] + "0"):
                assert not account.has_signed_query({**query, name: wrong}, now=now)
            assert not account.has_signed_query(MultiDict([*query.items(), (name, query[name])]), now=now)
        assert not account.has_signed_query({**query, "signature": query["msg_signature"]}, now=now)


class TestAddressee:
    @pytest.mark.parametrize("account", [SAFE, COMPATIBLE, PLAIN])
    def test_a_push_for_another_original_id_is_malformed(self, account: PushAccount) -> None:
        push = Sender().plain() if account is PLAIN else Sender().sealed()
        assert scene(replace(account, gh_id="gh_me").open(*push, now=NOW)) == "bind_x"
        for other in ("gh_you", "gh_m", "GH_ME"):
            with pytest.raises(Malformed) as caught:
                replace(account, gh_id=other).open(*push, now=NOW)
            assert caught.value.fault == "addressee"


class TestClock:
    def test_any_skew_is_fine_unless_told_otherwise(self) -> None:
        assert scene(SAFE.open(*Sender(timestamp="1").sealed(), now=NOW)) == "bind_x"

    @pytest.mark.parametrize(("off", "good"), [(-3601, False), (-3600, True), (3600, True), (3601, False)])
    def test_a_gross_skew_is_refused_either_way(self, off: int, good: bool) -> None:
        account = replace(SAFE, max_skew=timedelta(hours=1))
        query, body = Sender(timestamp=str(int(NOW.timestamp()) + off)).sealed()
        if good:
            assert scene(account.open(query, body, now=NOW)) == "bind_x"
        else:
            with pytest.raises(BadSignature):
                account.open(query, body, now=NOW)


class TestRotation:
    ROTATING = PushAccount("main", APPID, ("newer", "token"), (NEW, OLD))

    @FORMS
    @pytest.mark.parametrize("key", [NEW, OLD])
    @pytest.mark.parametrize("token", ["newer", "token"])
    def test_the_reply_uses_the_pair_that_worked(self, form: Format, key: str, token: str) -> None:
        delivery = self.ROTATING.open(*Sender(form=form, key=key, token=token).sealed(), now=NOW)
        answer = self.ROTATING.reply(delivery, "done", now=NOW)
        reply = parts(answer.body, form)
        crypto = WeChatCrypto(token, key, APPID)
        inner = crypto.decrypt_message(reply, reply["MsgSignature"], str(reply["TimeStamp"]), reply["Nonce"])
        assert parts(inner.encode(), form)["Content"] == "done"

    def test_neither_key_is_malformed(self) -> None:
        with pytest.raises(Malformed):
            self.ROTATING.open(*Sender(key=OTHER).sealed(), now=NOW)


def parts(body: bytes, form: Format) -> dict[str, Any]:
    if form is Format.JSON:
        values: dict[str, Any] = json.loads(body)
        return values
    return {child.tag: child.text for child in fromstring(body)}


class TestReplies:
    @FORMS
    def test_a_plain_reply_swaps_who_and_whom(self, form: Format) -> None:
        answer = PLAIN.reply(PLAIN.open(*Sender(form=form).plain(), now=NOW), "你好", now=NOW)
        reply = parts(answer.body, form)
        assert answer.content_type == f"application/{form}"
        assert (reply["ToUserName"], reply["FromUserName"]) == ("o_person", "gh_me")
        assert (reply["MsgType"], reply["Content"]) == ("text", "你好")
        assert int(reply["CreateTime"]) == int(NOW.timestamp())
        assert set(reply) == {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"}
        assert form is Format.XML or type(reply["CreateTime"]) is int

    @FORMS
    @pytest.mark.parametrize("account", [SAFE, COMPATIBLE])
    def test_a_sealed_push_gets_a_sealed_reply(self, form: Format, account: PushAccount) -> None:
        delivery = account.open(*Sender(form=form).sealed(), now=NOW)
        answer = account.reply(delivery, "你好", now=NOW, random=b"r" * 16)
        reply = parts(answer.body, form)
        assert answer.content_type == f"application/{form}"
        assert set(reply) == {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
        assert reply["Nonce"] == "nonce_1"
        assert form is Format.XML or type(reply["TimeStamp"]) is int
        assert int(reply["TimeStamp"]) == int(NOW.timestamp())
        inner = Envelope.of(NEW, appid=APPID).open(reply["Encrypt"])
        assert parts(inner, form)["Content"] == "你好"
        assert account.reply(delivery, "你好", now=NOW, random=b"r" * 16) == answer

    @pytest.mark.parametrize("text", [None, "", "  \n", "\x00\ud800"])
    @pytest.mark.parametrize("account", [SAFE, PLAIN])
    def test_nothing_to_say_is_success(self, text: str | None, account: PushAccount) -> None:
        send = Sender().sealed if account is SAFE else Sender().plain
        answer = account.reply(account.open(*send(), now=NOW), text, now=NOW)
        assert (answer.body, answer.content_type) == (b"success", "text/plain")

    def test_who_left_is_not_answered(self) -> None:
        delivery = SAFE.open(*Sender().sealed({**HEAD, "Event": "unsubscribe"}), now=NOW)
        assert SAFE.reply(delivery, "come back", now=NOW).body == b"success"
        follow = SAFE.open(*Sender().sealed({**HEAD, "Event": "subscribe"}), now=NOW)
        assert isinstance(follow.event, Subscribed)
        assert SAFE.reply(follow, "welcome", now=NOW).body != b"success"

    @FORMS
    @pytest.mark.parametrize(
        "text",
        [
            "]]>",
            "a]]></Content><Content>b",
            "]]]]>>",
            "]]>]]>",
            "<![CDATA[x]]>",
            '<a href="weixin://bizmsgmenu?msgmenucontent=47&msgmenuid=101">47</a>',
            'quote " backslash \\ newline \n',
            "\U0001f600",
        ],
    )
    def test_no_text_breaks_out_of_its_element(self, form: Format, text: str) -> None:
        delivery = PLAIN.open(*Sender(form=form).plain(), now=NOW)
        assert parts(PLAIN.reply(delivery, text, now=NOW).body, form)["Content"] == text

    @FORMS
    def test_what_xml_cannot_hold_is_left_out(self, form: Format) -> None:
        delivery = PLAIN.open(*Sender(form=form).plain(), now=NOW)
        answer = PLAIN.reply(delivery, "a\x00\x08\x1b\ufffe\ud800b", now=NOW)
        assert parts(answer.body, form)["Content"] == "ab"


class TestMaking:
    @pytest.mark.parametrize(
        ("tokens", "keys", "mode"),
        [
            ((), (NEW,), Mode.SAFE),
            (("",), (NEW,), Mode.SAFE),
            (("token",), (), Mode.SAFE),
            (("token",), (), Mode.COMPATIBLE),
            (("token",), ("short",), Mode.PLAIN),
        ],
    )
    def test_a_mode_needs_what_it_needs(self, tokens: tuple[str, ...], keys: tuple[str, ...], mode: Mode) -> None:
        with pytest.raises(ValueError, match=r"token|EncodingAESKey"):
            PushAccount("main", APPID, tokens, keys, mode)

    def test_secrets_are_not_shown(self) -> None:
        account = PushAccount("main", APPID, ("the-token",), (NEW,))
        delivery = account.open(*Sender(token="the-token").sealed(), now=NOW)
        for shown in (repr(account), repr(delivery)):
            assert "the-token" not in shown
            assert NEW not in shown
