"""Write the next step: `python -m migrations "what changes"` compares models/tables/ with the steps so far.

What it writes is a draft: take the literal types from an earlier step, so that a step never changes later.
"""

import sys

from alembic import command
from sqlalchemy import create_engine

from migrations import config, upgrade


def main() -> int:
    """Draft a step by its difference to an empty database that has taken all steps; 2 without a message."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.stderr.write((__doc__ or "") + "\n")
        return 2
    with create_engine("sqlite://").begin() as connection:
        upgrade(connection)
        command.revision(config(connection), message=sys.argv[1], autogenerate=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
