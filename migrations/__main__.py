"""Draft a migration from the difference between models/tables/ and the existing migrations.

Usage: python -m migrations "what changes". Edit the draft: spell out the column types as earlier migrations do, so
that it never changes with models/tables/.
"""

import sys

from alembic import command
from sqlalchemy import create_engine

from migrations import config, upgrade


def main() -> int:
    """Write the draft, comparing models/tables/ with an empty migrated database. Exit 2 without a message."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.stderr.write((__doc__ or "") + "\n")
        return 2
    with create_engine("sqlite://").begin() as connection:
        upgrade(connection)
        command.revision(config(connection), message=sys.argv[1], autogenerate=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
