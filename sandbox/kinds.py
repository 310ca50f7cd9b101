"""What a sandbox emulates, by the kind of account that people have. Values only."""

from typing import Literal, NamedTuple
from urllib.parse import urljoin

from sandbox.account import (
    MiniProgram,
    OfficialAccount,
    Website,
    WeComApp,
    default_account,
    default_mini_program,
    default_personal_account,
    default_test_account,
    default_website,
    default_wecom_app,
)

Kind = Literal["all", "test", "service", "personal", "website", "miniprogram", "company"]
"""Three kinds of Official Accounts, a website application, a mini program, an application in WeCom; or all."""


class Emulated(NamedTuple):
    """The accounts and applications of a sandbox, in the order in which `make_app` takes them."""

    accounts: tuple[OfficialAccount, ...] = ()
    websites: tuple[Website, ...] = ()
    mini_programs: tuple[MiniProgram, ...] = ()
    wecom_apps: tuple[WeComApp, ...] = ()

    def of(self, kind: Kind) -> "Emulated":
        """Return those of one kind."""
        if kind == "all":
            return self
        return Emulated(
            tuple(account for account in self.accounts if account.kind == kind),
            self.websites if kind == "website" else (),
            self.mini_programs if kind == "miniprogram" else (),
            self.wecom_apps if kind == "company" else (),
        )

    def led_by(self, kind: Kind) -> "Emulated":
        """Return all of them, the Official Account of this kind first."""
        return self._replace(accounts=tuple(sorted(self.accounts, key=lambda account: account.kind != kind)))


def default_emulated(callback_url: str) -> Emulated:
    """Return one of each kind. Pushes of the service account go to *callback_url*, other pushes beside it."""
    return Emulated(
        (
            default_account(callback_url),
            default_test_account(urljoin(callback_url, "test")),
            default_personal_account(urljoin(callback_url, "personal")),
        ),
        (default_website(callback_url),),
        (default_mini_program(callback_url),),
        (default_wecom_app(callback_url),),
    )
