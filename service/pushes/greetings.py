"""The text for a person who follows an account without a scene of the service."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.language import Lang
from service.config.accounts import Account
from service.methods.passcode_reader import PasscodeReader


@dataclass(slots=True, kw_only=True)
class Greetings:
    """Greets new followers: with the account's welcome, then with how to send a passcode, where it takes any."""

    accounts: Mapping[str, Account]
    passcodes: PasscodeReader

    def text(self, account: str, lang: Lang | None) -> str | None:
        """Return what a new follower is told, in both languages if *lang* is not known; None for nothing."""
        welcome = self.accounts[account].welcome
        wanted = Lang if lang is None else [lang]
        welcomed = "\n".join(dict.fromkeys(welcome[one] for one in wanted if one in welcome))
        return "\n\n".join(filter(None, (welcomed, self.passcodes.invitation(account, lang)))) or None
