"""Says what is wrong with the folder of `data_dir`."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.config.settings import ConfigError


@contextmanager
def writing() -> Iterator[None]:
    """Write in the folder. Raises ConfigError instead of OSError, with the path that failed."""
    try:
        yield
    except FileExistsError as error:  # of a mkdir that accepts folders
        raise ConfigError([f"data_dir: {error.filename} is not a folder"]) from error
    except OSError as error:
        raise ConfigError([f"data_dir: {error.filename} cannot be written: {error.strerror}"]) from error
