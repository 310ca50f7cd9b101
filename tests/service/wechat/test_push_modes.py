"""Pushes in safe, compatible and plain mode: what each mode accepts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from multidict import MultiDict
from push_sender import (
    APPID,
    COMPATIBLE,
    FORMS,
    HEAD,
    NEW,
    NOW,
    OTHER,
    PLAIN,
    SAFE,
    SCAN,
    Sender,
    scene,
    written,
)

from models.errors import BadSignature, Malformed
from models.events import Other, TextMessage
from service.wechat import push_account
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format
from service.wechat.push_account import Mode, PushAccount

Sample = Callable[[str], dict[str, Any]]


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
            "<Encrypt>a</Encrypt>" * 4,
            "<Encrypt>a</Encrypt>" * 1000,
            "<Encrypt></Encrypt>",
            "<Encrypt>{}</Encrypt>".format("A" * 88) * 9,
            "<Encrypt>\n</Encrypt><Encrypt>a</Encrypt>" * 50,
            "<Encrypt>好</Encrypt>" * 12,
            "</Encrypt><Encrypt>" * 30,
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

    @FORMS
    def test_only_a_signed_query_has_many_values_tried(
        self, form: Format, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Red without `_UNPROVED`: any address could have a thousand hashes computed for one request."""
        tried: list[str] = []
        monkeypatch.setattr(push_account, "matches", lambda signature, _: tried.append(signature))
        one = "<Encrypt>a</Encrypt>" if form is Format.XML else '"Encrypt":"a"'
        with pytest.raises(BadSignature):
            COMPATIBLE.open(Sender().stamp("b"), one.encode() * 1000, now=NOW)
        assert len(tried) == 5

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
            assert (caught.value.fault, caught.value.console) == ("mode", "safe")

    def test_the_signature_comes_before_the_body(self) -> None:
        with pytest.raises(BadSignature):
            PLAIN.open({}, b"junk", now=NOW)
        with pytest.raises(Malformed):
            PLAIN.open(Sender().stamp(), b"junk", now=NOW)
