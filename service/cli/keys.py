"""`scanbind keys`: make keys and secrets, rotate them, and bring the database under the newest."""

import argparse
import asyncio
import math
import sys
from typing import Final

from service.cli.arguments import (
    FAILED,
    GOOD,
    Arguments,
    Commands,
    add_commands,
    config_option,
    fail,
    load_settings,
)


def encrypt(arguments: Arguments) -> int:
    from service.identities.reencryption import encrypt  # noqa: PLC0415 - only what runs is imported

    sealed = asyncio.run(encrypt(load_settings(arguments)))
    print(sealed)
    return FAILED if sealed.left else GOOD


def _new_key(arguments: Arguments) -> int:
    from service.crypto.client_secrets import fresh_secret, hash_of  # noqa: PLC0415 - only what runs is imported
    from service.crypto.secret_key_file import fresh_key  # noqa: PLC0415 - only what runs is imported

    print(_FRESH[arguments.kind], file=sys.stderr)
    if arguments.kind != "client":
        print(fresh_key())
        return GOOD
    secret = fresh_secret()
    print(f'secret: "{secret}"', f'secret_hash: "{hash_of(secret.encode())}"', sep="\n")
    return GOOD


def _rotate_key(arguments: Arguments) -> int:
    from service.crypto.secret_key_file import OLD_KEY_NEEDED, ConfiguredKeyError, rotate  # noqa: PLC0415 - only what runs

    try:
        place = rotate(load_settings(arguments))
    except ConfiguredKeyError:
        return fail(
            "secret_key stands in your configuration: put a new one before it; "
            "`scanbind keys new secret_key` makes one"
        )
    minutes = math.ceil(OLD_KEY_NEEDED.total_seconds() / 60)
    print(f"a new key stands first in {place}: restart the service; {minutes} minutes later the older may go")
    return GOOD


def _kind_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=_FRESH, help="what the key is for")


def key_commands(parser: argparse.ArgumentParser) -> None:
    add_commands(_KEY_COMMANDS, parser)


_FRESH: Final = {
    "secret_key": "a key for secret_key: put it before the one in use; with several processes, first behind it",
    "client": "the secret is for the site's back end, the hash for clients.NAME.secret_hash",
    "encryption": "a key for encryption.keys: docs/operations.md says in which steps it takes over",
}
_KEY_COMMANDS: Final[Commands] = {
    "new": (_new_key, _kind_argument, "print a fresh key or secret"),
    "rotate": (_rotate_key, config_option, "put a fresh key before the one that scanbind keeps in data_dir"),
    "encrypt": (encrypt, config_option, "bring everybody in the database under the newest of encryption.keys"),
}
