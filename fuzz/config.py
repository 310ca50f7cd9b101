"""The accounts and clients of the fuzzed service: one account of each mode, two sites. Values only."""

from dataclasses import replace
from typing import Final

from sandbox.account import OfficialAccount

CLIENTS: Final = {"shop": "secret-of-the-shop", "club": "secret-of-the-club"}
ORIGIN: Final = "https://shop.example"
SECRET_KEY: Final = "the key of the service that is fuzzed"
_SAFE: Final = OfficialAccount(
    appid="wx0123456789abcdef",
    secret="e4da3b7fbbce2345d7772b0674a318d5",
    token="tokenofsafe",
    aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    gh_id="gh_0123456789ab",
    callback_url="",
    daily_codes=10**9,
)
ACCOUNTS: Final = {
    "safe": _SAFE,
    "compatible": replace(
        _SAFE,
        appid="wxfedcba9876543210",
        secret="1679091c5a880faf6fb5e6087eb1b2dc",
        token="tokenofcompatible",
        aes_key="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq",
        mode="compatible",
    ),
    "plain": replace(
        _SAFE,
        appid="wx00000000000plain",
        secret="8f14e45fceea167a5a36dedd4bea2543",
        token="tokenofplain",
        mode="plain",
    ),
}
SECRETS: Final = tuple(
    text.encode()
    for text in (
        SECRET_KEY,
        *CLIENTS.values(),
        *(secret for one in ACCOUNTS.values() for secret in (one.secret, one.token, one.aes_key)),
    )
)
