"""Faulty webhooks in configurations, each with the lines that `check-config` prints."""

import base64
from typing import Any

from bad_configurations import Bad

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
KEY = "whsk_" + base64.b64encode(b"k" * 32).decode()
URL = "https://shop.example/webhooks"
PLACE = "clients.shop.webhooks"
ADDRESS = f"must be an address such as {URL}, without user, password and fragment, of 2048 characters at most"
PRIVATE = "must not be an address of this machine or of a private network, unless allow_private is true"
METADATA = "must not be a link-local address or one of cloud metadata"
BAD_SECRET = "must be whsec_ and the base64 of 24 to 64 bytes, as `scanbind keys new webhook` prints it"
BAD_KEY = "must be whsk_ and the base64 of 32 bytes, as `scanbind keys new webhook_key` prints it"


def hooks(*given: Any, lines: list[str], secret: str = "Xk9Vw3Jq8Zp5") -> Bad:
    return Bad({"clients__shop__webhooks": list(given)}, tuple(f"{PLACE}.{line}" for line in lines), secret=secret)


def at(url: str, line: str, **more: Any) -> Bad:
    return hooks({"url": url, "secret": SECRET, **more}, lines=[f"0.url: {line}"])


def of_bytes(prefix: str, length: int) -> str:
    return prefix + base64.b64encode(b"Xk9Vw3Jq8Zp5" * 6)[: length * 4 // 3].decode()


WEBHOOKS = {
    "a webhook without TLS": at("http://Xk9Vw3Jq8Zp5.example/", "must be https, unless allow_private is true"),
    "a webhook with user and password": at("https://u:Xk9Vw3Jq8Zp5@shop.example", ADDRESS),
    "a webhook with a fragment": at(f"{URL}#Xk9Vw3Jq8Zp5", ADDRESS),
    "a webhook with a space": at(f"{URL}/Xk9Vw3Jq 8Zp5", ADDRESS),
    "a webhook of another scheme": at("ftp://shop.example/Xk9Vw3Jq8Zp5", ADDRESS),
    "a webhook at a name that is not ASCII": at("https://商城.example/Xk9Vw3Jq8Zp5", ADDRESS),
    "a webhook of 2049 characters": at(f"{URL}?{'Xk9V' * 512}"[:2049], ADDRESS),
    "a webhook at this machine": at("https://127.0.0.1/", PRIVATE),
    "a webhook at this machine, by name": at("https://localhost/", PRIVATE),
    "a webhook at this machine, below the name": at("https://A.LocalHost./", PRIVATE),
    "a webhook at this machine, by IPv6": at("https://[::1]/", PRIVATE),
    "a webhook at all addresses": at("https://0.0.0.0/", PRIVATE),
    "a webhook in a private network": at("https://10.1.2.3/", PRIVATE),
    "a webhook in a private network, by name": at("https://receiver.internal/", PRIVATE),
    "a webhook in a private network, mapped": at("https://[::ffff:10.1.2.3]/", PRIVATE),
    "a webhook in a private network, translated": at("https://[64:ff9b::a01:203]/", PRIVATE),
    "a webhook in decimal": at("https://2130706433/", ADDRESS),
    "a webhook in octal": at("https://0177.0.0.1/", ADDRESS),
    "a webhook in octal, whole": at("https://017700000001/", ADDRESS),
    "a webhook in hexadecimal": at("https://0x7f000001/", ADDRESS),
    "a webhook in hexadecimal at the end": at("https://127.0.0.0X1/", ADDRESS),
    "a webhook at a short address": at("https://127.1/", ADDRESS),
    "a webhook at an address with a dot": at("https://127.0.0.1./", ADDRESS),
    "a webhook at an address with a zone": at("https://[fe80::1%25eth0]/", ADDRESS),
    "a webhook in decimal that may be private": at("http://2130706433/", ADDRESS, allow_private=True),
    "a webhook at cloud metadata": at("http://169.254.169.254/latest", METADATA, allow_private=True),
    "a webhook at Alibaba's metadata": at("http://100.100.100.200/latest", METADATA, allow_private=True),
    "a webhook at Amazon's metadata": at("http://[fd00:ec2::254]/latest", METADATA, allow_private=True),
    "a webhook at a translated metadata address": at("http://[64:ff9b::a9fe:a9fe]", METADATA, allow_private=True),
    "a webhook without a signature": hooks({"url": URL}, lines=["0.secret: is missing: set secret or key"]),
    "a webhook with two kinds of signatures": hooks(
        {"url": URL, "secret": SECRET, "key": KEY}, lines=["0.secret: must not be set beside key"]
    ),
    "three secrets of a webhook": hooks(
        {"url": URL, "secret": [of_bytes("whsec_", length) for length in (24, 27, 30)]},
        lines=["0.secret: must not be more than two"],
    ),
    "a secret of a webhook twice": hooks(
        {"url": URL, "secret": [SECRET, SECRET]}, lines=["0.secret: must not contain duplicates"]
    ),
    "a short secret of a webhook": hooks(
        {"url": URL, "secret": of_bytes("whsec_", 21)}, lines=[f"0.secret: {BAD_SECRET}"]
    ),
    "a long secret of a webhook": hooks(
        {"url": URL, "secret": of_bytes("whsec_", 66)}, lines=[f"0.secret: {BAD_SECRET}"]
    ),
    "a secret of a webhook without its beginning": hooks(
        {"url": URL, "secret": of_bytes("", 30)}, lines=[f"0.secret: {BAD_SECRET}"]
    ),
    "a secret of a webhook without its end": hooks(
        {"url": URL, "secret": SECRET.removesuffix("=")}, lines=[f"0.secret: {BAD_SECRET}"]
    ),
    "a key for a secret": hooks({"url": URL, "secret": KEY}, lines=[f"0.secret: {BAD_SECRET}"]),
    "a key of a webhook of 33 bytes": hooks(
        {"url": URL, "key": of_bytes("whsk_", 33)}, lines=[f"0.key: {BAD_KEY}"]
    ),
    "a public key for a key": hooks({"url": URL, "key": "whpk_" + KEY[5:]}, lines=[f"0.key: {BAD_KEY}"]),
    "no event of a webhook": hooks(
        {"url": URL, "secret": SECRET, "events": []}, lines=["0.events: must name at least one event"]
    ),
    "the operator's event at a site": hooks(
        {"url": URL, "secret": SECRET, "events": ["binding.created", "webhook.disabled"]},
        lines=["0.events: must be events of a site: webhook.disabled is the operator's"],
    ),
    "an event twice": hooks(
        {"url": URL, "secret": SECRET, "events": ["binding.created"] * 2},
        lines=["0.events: must not contain duplicates"],
    ),
    "the second of two webhooks with one URL": hooks(
        {"url": URL, "secret": SECRET},
        {"url": URL, "key": KEY},
        lines=["1.url: is the url of an earlier webhook as well"],
    ),
    "nine webhooks": Bad(
        {"clients__shop__webhooks": [{"url": f"{URL}/{number}", "secret": SECRET} for number in range(9)]},
        (f"{PLACE}: must not be more than 8",),
    ),
    "a webhook that is an address alone": hooks("Xk9Vw3Jq8Zp5", lines=["0: must be a mapping"]),
    "a mistyped key of a webhook": hooks(
        {"url": URL, "secret": SECRET, "event": []}, lines=["0.event: unknown key"]
    ),
    "webhooks that are no JSON": Bad(
        {},
        (f"{PLACE}: is not valid JSON (SCANBIND_CLIENTS__SHOP__WEBHOOKS)",),
        {"SCANBIND_CLIENTS__SHOP__WEBHOOKS": '[{"url":Xk9Vw3Jq8Zp5}]'},
    ),
    "a variable for a part of a webhook": Bad(
        {"clients__shop__webhooks": [{"url": URL, "secret": SECRET}]},
        (f"{PLACE}.0.secret: unknown key (SCANBIND_CLIENTS__SHOP__WEBHOOKS__0__SECRET)",),
        {"SCANBIND_CLIENTS__SHOP__WEBHOOKS__0__SECRET": "Xk9Vw3Jq8Zp5"},
    ),
    "the operator's webhook without a signature": Bad(
        {"operator__webhook": {"url": "https://10.0.0.1", "secret": "Xk9Vw3Jq8Zp5"}},
        (f"operator.webhook.url: {PRIVATE}", f"operator.webhook.secret: {BAD_SECRET}"),
    ),
    "events of the operator's webhook": Bad(
        {"operator__webhook": {"url": URL, "secret": SECRET, "events": ["webhook.disabled"]}},
        ("operator.webhook.events: unknown key",),
    ),
}
