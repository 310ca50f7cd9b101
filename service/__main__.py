"""`python -m service` is `scanbind`."""

import sys

from service.cli import main

sys.exit(main())
