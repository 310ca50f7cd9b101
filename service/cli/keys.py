"""`scanbind keys`: make keys and secrets, rotate them, and encrypt the database with the newest key."""

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
    from service.crypto.sealing import fresh_sealing_key  # noqa: PLC0415 - only what runs is imported
    from service.crypto.secret_key_file import fresh_key  # noqa: PLC0415 - only what runs is imported
    from service.webhooks import signatures  # noqa: PLC0415 - only what runs is imported

    print(_KINDS[arguments.kind], file=sys.stderr)
    match arguments.kind:
        case "client":
            secret = fresh_secret()
            print(f'secret: "{secret}"', f'secret_hash: "{hash_of(secret.encode())}"', sep="\n")
        case "sealing_key":
            print(fresh_sealing_key())
        case "webhook":
            print(signatures.fresh_secret())
        case "webhook_key":
            key = signatures.fresh_key()
            print(f'key: "{key}"', f'public_key: "{signatures.Ed25519Signer(key).public_key}"', sep="\n")
        case _:
            print(fresh_key())
    return GOOD


def _rotate_key(arguments: Arguments) -> int:
    from service.crypto.secret_key_file import OLD_KEY_NEEDED, ConfiguredKeyError, rotate  # noqa: PLC0415 - only what runs

    try:
        place = rotate(load_settings(arguments))
    except ConfiguredKeyError:
        return fail(
            "secret_key is set in your configuration: put a new key before it; "
            "`scanbind keys new secret_key` prints one"
        )
    minutes = math.ceil(OLD_KEY_NEEDED.total_seconds() / 60)
    print(
        f"added a new key to {place}: reload or restart the service to use it; "
        f"keep the older keys for {minutes} minutes after that"
    )
    return GOOD


def _kind_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind",
        choices=_KINDS,
        help="the setting it is for: secret_key, a client's secret or sealing_key, encryption.keys, "
        "a webhook's secret or key",
    )


def key_commands(parser: argparse.ArgumentParser) -> None:
    add_commands(_KEY_COMMANDS, parser)


_KINDS: Final = {
    "secret_key": "a key for secret_key: to replace one in use, follow 'The secret key' in docs/operations.md",
    "client": "give the secret to the site's back end, and set the hash as clients.NAME.secret_hash",
    "sealing_key": "give the key to the site's back end, and set it as clients.NAME.sealing_key",
    "encryption": "a key for encryption.keys: before you set it, read 'Encrypt openids' in docs/operations.md",
    "webhook": "set the secret in clients.NAME.webhooks, and give it to the site's back end to verify with",
    "webhook_key": "set the key in clients.NAME.webhooks, and give the public key to the site's back end",
}
_KEY_COMMANDS: Final[Commands] = {
    "new": (_new_key, _kind_argument, "print a new key or secret"),
    "rotate": (_rotate_key, config_option, "put a new key before the old ones in data_dir/secret_key"),
    "encrypt": (encrypt, config_option, "encrypt all openids and unionids with the newest of encryption.keys"),
}
