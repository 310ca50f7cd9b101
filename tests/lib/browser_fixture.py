"""Async fixtures of browser tests, which share one event loop in a process.

Playwright's driver belongs to the loop that it was started in, and starting one for each test would take a second.
"""

from typing import Final

import pytest
import pytest_asyncio

browser_fixture: Final = pytest_asyncio.fixture(loop_scope="session")
browser_test: Final = pytest.mark.asyncio(loop_scope="session")
