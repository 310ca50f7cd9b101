"""`python -m service` is `scanbind`."""

import sys

from service.cli.main import main

sys.exit(main())
