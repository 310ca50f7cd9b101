"""What an account's door lets in, in each mode, and the reply that goes back out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from multidict import MultiDict
from wechatpy.crypto import WeChatCrypto

from models.errors import BadSignature, InvalidRequest, Malformed
from models.events import Other, Scan, Subscribed, TextMessage
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format
from service.wechat.push_account import Delivery, Mode, PushAccount
from service.wechat.signature import sign

Sample = Callable[[str], dict[str, Any]]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APPID = "wx0123456789abcdef"
NEW, OLD, OTHER = "N" * 43, "O" * 43, "X" * 43
SAFE = PushAccount("main", APPID, ("token",), (NEW,))
COMPATIBLE = replace(SAFE, mode=Mode.COMPATIBLE)
PLAIN = PushAccount("main", APPID, ("token",), mode=Mode.PLAIN)

HEAD = {"ToUserName": "gh_me", "FromUserName": "o_person", "CreateTime": "1700000000", "MsgType": "event"}
SCAN = {**HEAD, "Event": "SCAN", "EventKey": "bind_x"}


def written(fields: dict[str, str], form: Format) -> str:
    if form is Format.JSON:
        return json.dumps(fields)
    return f"<xml>{''.join(f'<{k}><![CDATA[{v}]]></{k}>' for k, v in fields.items())}</xml>"


@dataclass
class Sender:
    """WeChat, sending one push; its attributes say how."""

    token: str = "token"
    key: str = NEW
    appid: str = APPID
    form: Format = Format.XML
    nonce: str = "nonce_1"
    timestamp: str = "1700000001"

    def plain(self, fields: dict[str, str] = SCAN) -> tuple[dict[str, str], bytes]:
        return self.stamp(), written(fields, self.form).encode()

    def sealed(
        self, fields: dict[str, str] = SCAN, *, beside: dict[str, str] | None = None
    ) -> tuple[dict[str, str], bytes]:
        encrypt = Envelope.of(self.key, appid=self.appid).seal(written(fields, self.form).encode())
        outer = {"ToUserName": "gh_me", **(beside or {}), "Encrypt": encrypt}
        return self.stamp(encrypt), written(outer, self.form).encode()

    def stamp(self, encrypt: str | None = None) -> dict[str, str]:
        parts = (self.token, self.timestamp, self.nonce)
        query = {"signature": sign(*parts), "timestamp": self.timestamp, "nonce": self.nonce}
        if encrypt is None:
            return query
        return {**query, "encrypt_type": "aes", "msg_signature": sign(*parts, encrypt)}


def scene(delivery: Delivery) -> str:
    assert isinstance(delivery.event, Scan)
    return delivery.event.scene


FORMS = pytest.mark.parametrize("form", list(Format))


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


class TestSafe:
    @pytest.mark.parametrize("name", ["official_safe_json", "tencent_safe_xml"])
    @pytest.mark.parametrize("mode", [Mode.SAFE, Mode.COMPATIBLE])
    def test_real_deliveries_are_let_in(self, sample: Sample, name: str, mode: Mode) -> None:
        push = sample(name)
        given = push["account"]
        account = PushAccount("main", given["appid"], (given["token"],), (given["aes_key"],), mode)
        delivery = account.open(push["query"], push["body"].encode(), now=NOW)
        assert isinstance(delivery.event, Other | TextMessage)
        assert delivery.encrypted

    @FORMS
    def test_what_is_sealed_and_signed_is_let_in(self, form: Format) -> None:
        delivery = SAFE.open(*Sender(form=form).sealed(), now=NOW)
        assert scene(delivery) == "bind_x"
        assert (delivery.format, delivery.encrypted, delivery.nonce) == (form, True, "nonce_1")

    def test_the_openid_parameter_is_not_needed_nor_believed(self) -> None:
        query, body = Sender().sealed()
        delivery = SAFE.open({**query, "openid": "o_somebody_else"}, body, now=NOW)
        assert delivery.event.openid == "o_person"

    def test_what_is_in_the_clear_is_not_signed(self) -> None:
        query, body = Sender().plain()
        with pytest.raises(BadSignature):
            SAFE.open(query, body, now=NOW)
        forged = {**query, "encrypt_type": "aes", "msg_signature": query["signature"]}
        with pytest.raises(BadSignature):
            SAFE.open(forged, body, now=NOW)

    def test_nothing_in_the_clear_may_stand_beside(self) -> None:
        query, body = Sender().sealed(beside=SCAN)
        with pytest.raises(BadSignature):
            SAFE.open(query, body, now=NOW)

    def test_the_plain_signature_does_not_stand_in(self) -> None:
        query, body = Sender().sealed()
        with pytest.raises(BadSignature):
            SAFE.open({**query, "msg_signature": query["signature"]}, body, now=NOW)

    @pytest.mark.parametrize("name", ["msg_signature", "timestamp", "nonce", "encrypt_type"])
    def test_nothing_of_the_signature_may_be_missing_wrong_or_twice(self, name: str) -> None:
        query, body = Sender().sealed()
        for wrong in ("", "0", "raw", query[name].upper() + "0", f"{query[name]} "):
            with pytest.raises(BadSignature):
                SAFE.open({**query, name: wrong}, body, now=NOW)
        twice = MultiDict([*query.items(), (name, query[name])])
        with pytest.raises(BadSignature):
            SAFE.open(twice, body, now=NOW)
        del query[name]
        with pytest.raises(BadSignature):
            SAFE.open(query, body, now=NOW)

    def test_a_changed_body_is_not_signed(self) -> None:
        query, _ = Sender().sealed()
        _, body = Sender().sealed({**SCAN, "FromUserName": "o_somebody_else"})
        with pytest.raises(BadSignature):
            SAFE.open(query, body, now=NOW)

    def test_another_token_does_not_sign(self) -> None:
        with pytest.raises(BadSignature):
            SAFE.open(*Sender(token="another").sealed(), now=NOW)

    def test_the_signature_comes_before_the_envelope(self) -> None:
        query, _ = Sender().sealed()
        body = written({"ToUserName": "gh_me", "Encrypt": "!!!!"}, Format.XML).encode()
        with pytest.raises(BadSignature):
            SAFE.open(query, body, now=NOW)

    def test_whitespace_around_encrypt_is_not_signed(self) -> None:
        query, body = Sender().sealed()
        spaced = body.replace(b"<Encrypt><![CDATA[", b"<Encrypt><![CDATA[\n ").replace(b"]]></E", b" ]]></E")
        assert spaced != body
        assert scene(SAFE.open(query, spaced, now=NOW)) == "bind_x"

    @pytest.mark.parametrize(
        ("sender", "faults"),
        [
            (
                Sender(key=OTHER),
                {"envelope", "appid"},
            ),  # what another key opens may look like an envelope by chance
            (Sender(appid="wxfedcba9876543210"), {"appid"}),
        ],
    )
    def test_another_key_or_account_is_malformed(self, sender: Sender, faults: set[str]) -> None:
        with pytest.raises(Malformed) as caught:
            SAFE.open(*sender.sealed(), now=NOW)
        assert caught.value.fault in faults

    @FORMS
    @pytest.mark.parametrize("account", [SAFE, COMPATIBLE])
    @pytest.mark.parametrize("outside", ["gh_another", ""])
    def test_the_account_named_outside_is_the_one_inside(
        self, form: Format, account: PushAccount, outside: str
    ) -> None:
        with pytest.raises(Malformed) as caught:
            account.open(*Sender(form=form).sealed(beside={"ToUserName": outside}), now=NOW)
        assert caught.value.fault == "addressee"

    @pytest.mark.parametrize("body", [b"", b"junk", b"<xml>", b"{", b'{"Encrypt":1,"Encrypt":2}'])
    def test_a_body_that_cannot_be_read_is_malformed(self, body: bytes) -> None:
        query, _ = Sender().sealed()
        with pytest.raises(Malformed):
            SAFE.open(query, body, now=NOW)

    @pytest.mark.parametrize("account", [SAFE, COMPATIBLE])
    @pytest.mark.parametrize("body", [
        "<xml><Encrypt>{}</Encrypt><Encrypt>evil</Encrypt></xml>",
        "<xml><Encrypt>evil</Encrypt><Encrypt>{}</Encrypt></xml>",
        "<xml><Encrypt>{0}</Encrypt><Encrypt>{0}</Encrypt></xml>",
        "<xml><a><Encrypt>{}</Encrypt></a></xml>",
        "<xml><a><Encrypt>{}</Encrypt></a><Encrypt>evil</Encrypt></xml>",
        "<xml><!--<Encrypt>{}</Encrypt>--><Encrypt>evil</Encrypt></xml>",
        "<xml><?a <Encrypt>{}</Encrypt>?><Encrypt>evil</Encrypt></xml>",
        "<xml><a><![CDATA[<Encrypt>{}</Encrypt>]]></a><Encrypt>evil</Encrypt></xml>",
        "<xml><a><![CDATA[<Encrypt>{}</Encrypt>]]></a></xml>",
        "<xml><Encrypt>{}</Encrypt><Encrypt a='b'>evil</Encrypt></xml>",
        "<xml><Encrypt>{}</Encrypt><Encrypt/></xml>",
        "<xml><Encrypt>{}<a/></Encrypt></xml>",
        "<xml><Encrypt>{}</Encrypt>",
        "<xml><Encrypt>{}</Encrypt></xml><xml/>",
        "<html><Encrypt>{}</Encrypt></html>",
        "<!DOCTYPE xml [<!ENTITY a '<Encrypt>{}</Encrypt>'>]><xml>&a;</xml>",
        '{{"Encrypt":"{}","Encrypt":"evil"}}',
        '{{"Encrypt":"evil","Encrypt":"{}"}}',
        '{{"Encrypt":"evil","\\u0045ncrypt":"{}"}}',
        '{{"Encrypt":"{}","\\u0045ncrypt":"evil"}}',
        '{{"a":{{"Encrypt":"{}"}}}}',
        '{{"a":{{"Encrypt":"{}"}},"Encrypt":"evil"}}',
        '[{{"Encrypt":"{}"}}]',
        '{{"Encrypt":"{}"',
        '{{"a":"\\"Encrypt\\":\\"{}\\"","Encrypt":"evil"}}',
        '"Encrypt":"{}"',
    ])  # fmt: skip
    def test_what_is_signed_is_the_documents_own(self, account: PushAccount, body: str) -> None:
        """Red for most of these when `_open_sealed` does not compare what was signed with what it has read."""
        encrypt = Envelope.of(NEW, appid=APPID).seal(written(SCAN, Format.XML).encode())
        with pytest.raises((BadSignature, Malformed)):
            account.open(Sender().stamp(encrypt), body.format(encrypt).encode(), now=NOW)

    @FORMS
    @pytest.mark.parametrize(
        "content",
        [
            "<Encrypt>a</Encrypt>" * 3,
            "<Encrypt></Encrypt>",
            "<Encrypt>",
            "<Encrypt><![CDATA[",
            '"Encrypt":"a"',
            '"',
        ],
    )
    def test_what_a_person_writes_into_the_chat_hides_nothing(self, form: Format, content: str) -> None:
        """Red when the first that looks like an Encrypt is the only one tried."""
        said = {**HEAD, "MsgType": "text", "MsgId": "1", "Content": content}
        delivery = COMPATIBLE.open(*Sender(form=form).sealed(said, beside=said), now=NOW)
        assert isinstance(delivery.event, TextMessage)
        assert delivery.event.text == content

    def test_the_signature_comes_before_the_document(self) -> None:
        """Red when `_open_sealed` reads the body first, and when it reads one with nothing signed at all."""
        query, body = Sender().sealed()
        for broken in (body[:-1], b"<!DOCTYPE xml>" + body, body + b"<"):
            with pytest.raises(Malformed):
                SAFE.open(query, broken, now=NOW)
            with pytest.raises(BadSignature):
                SAFE.open({**query, "msg_signature": "0" * 40}, broken, now=NOW)
        with pytest.raises(BadSignature):
            SAFE.open({**query, "signature": "0" * 40}, b"<xml>", now=NOW)

    def test_what_is_inside_may_be_malformed_too(self) -> None:
        with pytest.raises(Malformed):
            SAFE.open(*Sender().sealed({"ToUserName": "gh_me"}), now=NOW)

    @pytest.mark.parametrize("nonce", ["", "a b", "]]>", "é", "n" * 65, "a\n"])
    def test_a_nonce_that_could_not_be_echoed_is_refused(self, nonce: str) -> None:
        with pytest.raises(BadSignature):
            SAFE.open(*Sender(nonce=nonce).sealed(), now=NOW)

    @pytest.mark.parametrize("timestamp", ["", "now", "-1", "1.5", "1" * 11, "١٧"])
    def test_a_timestamp_is_digits(self, timestamp: str) -> None:
        with pytest.raises(BadSignature):
            SAFE.open(*Sender(timestamp=timestamp).sealed(), now=NOW)


class TestCompatible:
    @FORMS
    def test_only_what_is_sealed_is_believed(self, form: Format) -> None:
        lie = {**SCAN, "FromUserName": "o_somebody_else", "EventKey": "bind_y"}
        del lie["ToUserName"]
        delivery = COMPATIBLE.open(*Sender(form=form).sealed(beside=lie), now=NOW)
        assert scene(delivery) == "bind_x"
        assert delivery.event.openid == "o_person"

    def test_without_an_envelope_nothing_is_signed(self) -> None:
        query, body = Sender().plain()
        for more in ({}, {"encrypt_type": "aes", "msg_signature": query["signature"]}):
            with pytest.raises(BadSignature):
                COMPATIBLE.open({**query, **more}, body, now=NOW)

    def test_the_plain_signature_does_not_stand_in(self) -> None:
        query, body = Sender().sealed(beside={"MsgType": "event"})
        with pytest.raises(BadSignature):
            COMPATIBLE.open({**query, "msg_signature": query["signature"]}, body, now=NOW)


class TestPlain:
    @FORMS
    def test_a_signed_query_is_enough(self, form: Format) -> None:
        delivery = PLAIN.open(*Sender(form=form).plain(), now=NOW)
        assert scene(delivery) == "bind_x"
        assert (delivery.format, delivery.encrypted) == (form, False)

    def test_a_raw_encrypt_type_is_plain(self) -> None:
        query, body = Sender().plain()
        assert scene(PLAIN.open({**query, "encrypt_type": "raw"}, body, now=NOW)) == "bind_x"

    @pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
    def test_nothing_of_the_signature_may_be_missing_wrong_or_twice(self, name: str) -> None:
        query, body = Sender().plain()
        with pytest.raises(BadSignature):
            PLAIN.open({**query, name: "1"}, body, now=NOW)
        with pytest.raises(BadSignature):
            PLAIN.open(MultiDict([*query.items(), (name, query[name])]), body, now=NOW)
        del query[name]
        with pytest.raises(BadSignature):
            PLAIN.open(query, body, now=NOW)

    def test_an_envelope_is_not_expected(self) -> None:
        for account in (PLAIN, replace(PLAIN, aes_keys=(NEW,))):
            with pytest.raises(Malformed) as caught:
                account.open(*Sender().sealed(), now=NOW)
            assert caught.value.fault == "envelope"

    def test_the_signature_comes_before_the_body(self) -> None:
        with pytest.raises(BadSignature):
            PLAIN.open({}, b"junk", now=NOW)
        with pytest.raises(Malformed):
            PLAIN.open(Sender().stamp(), b"junk", now=NOW)


class TestVouching:
    @pytest.mark.parametrize("account", [SAFE, COMPATIBLE, PLAIN])
    def test_a_signed_query_vouches_in_every_mode_while_it_is_fresh(self, account: PushAccount) -> None:
        """Red for each check that `vouched` leaves out."""
        account = replace(account, tokens=("new", "token"), max_skew=timedelta(seconds=300))
        now = datetime.fromtimestamp(1700000001, UTC)
        query = Sender().stamp("whatever")
        assert account.vouched(query, now=now)
        assert not account.vouched(query, now=now + timedelta(seconds=301))
        for name in ("signature", "timestamp", "nonce"):
            for wrong in ("", "1", query[name] + "0"):
                assert not account.vouched({**query, name: wrong}, now=now)
            assert not account.vouched(MultiDict([*query.items(), (name, query[name])]), now=now)
        assert not account.vouched({**query, "signature": query["msg_signature"]}, now=now)


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
            assert repr(Envelope.of(NEW, appid=APPID).key) not in shown
