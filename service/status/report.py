"""What `scanbind status` reports, as values. Whether all is well is decided here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.config.data_folder import LEAST_FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A running process that uses the same `data_dir`, as it described itself."""

    pid: int
    version: str
    started_at: datetime
    loaded_at: datetime
    """When it loaded the configuration that it uses."""
    waiting: Mapping[str, int]
    """Browsers that wait for a change, by kind of request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What Redis knows of an Official Account; None: not known."""

    last_push: datetime | None
    codes_today: int | None
    """QR codes requested from WeChat since midnight in Beijing; None: the account requests none."""
    codes_per_day: int
    codes_ended: bool
    """WeChat refuses more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisState:
    product: str
    milliseconds: float
    """Of one round trip."""
    accounts: Mapping[str, AccountState]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    product: str
    milliseconds: float
    """Of one round trip."""
    schema: str
    """Its revision; empty: it has no tables."""
    schema_needed: str
    """The revision that this version requires."""
    webhooks: Mapping[str, int] | None
    """Deliveries that are pending, and dead ones of the days for which they are kept; None: not this schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskState:
    folder: str
    free: int
    """Bytes."""
    total: int


@dataclass(frozen=True, slots=True)
class Down:
    """A store that does not answer, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The state of everything at one moment."""

    version: str
    """Of the command that made the report."""
    at: datetime
    processes: Sequence[ProcessState | Down]
    redis: RedisState | Down
    database: DatabaseState | Down
    disk: DiskState

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not well, one line each; empty: all is well."""
        found = []
        if not self.processes:
            found.append("no process is running")
        if any(isinstance(one, Down) for one in self.processes):
            found.append("a process does not answer")
        found += [
            f"{name} does not answer"
            for name, store in (("redis", self.redis), ("database", self.database))
            if isinstance(store, Down)
        ]
        if isinstance(self.database, DatabaseState) and self.database.schema != self.database.schema_needed:
            found.append("the schema is not that of this version: run `scanbind migrate`")
        if self.disk.free < LEAST_FREE:
            found.append("the disk is nearly full")
        return tuple(found)


def age(span: timedelta) -> str:
    """Return *span* in its two largest units, such as `3 d 4 h`."""
    seconds = max(0, int(span.total_seconds()))
    parts = (seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or first == 3)
