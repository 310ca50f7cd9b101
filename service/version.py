"""The version of this program, from the metadata that its installation wrote."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("scanbind")
