"""Compares the revision of a database with the one that this code requires."""

import migrations
from models.errors import StoreUnavailable


class NewerSchema(StoreUnavailable):
    """A newer version of scanbind has migrated the database."""


def refuse_newer(revision: str) -> None:
    """Raise NewerSchema if this code does not know *revision*."""
    if revision and not migrations.knows(revision):
        raise NewerSchema(
            f"the database is at revision {revision}, which this version of scanbind does not know: "
            "start the newer version, or restore a backup"
        )


def require_current(revision: str) -> None:
    """Raise StoreUnavailable unless *revision* is the newest; NewerSchema if this code does not know it."""
    refuse_newer(revision)
    if revision != (head := migrations.head()):
        raise StoreUnavailable(
            f"the database is at revision {revision or 'none'}, not {head}: run `scanbind migrate`"
        )
