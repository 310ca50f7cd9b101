"""A report of `scanbind status` in which all is well."""

from datetime import UTC, datetime, timedelta

from service.status.report import AccountState, DatabaseState, DiskState, Down, ProcessState, RedisState, Report

AT = datetime(2026, 11, 30, 4, tzinfo=UTC)
PROCESS = ProcessState(
    pid=4711,
    version="0.1.0",
    started_at=AT - timedelta(days=3, hours=4, minutes=5),
    loaded_at=AT - timedelta(minutes=2),
    waiting={"streams": 12, "polls": 3},
)
ACCOUNT = AccountState(
    last_push=AT - timedelta(minutes=2, seconds=5), codes_today=12, codes_per_day=100_000, codes_ended=False
)
REDIS = RedisState(product="Valkey 8.1.1", milliseconds=0.4, accounts={"main": ACCOUNT})
DATABASE = DatabaseState(
    product="SQLite 3.45.1",
    milliseconds=0.2,
    schema="0023",
    schema_needed="0023",
    webhooks={"pending": 3, "dead": 1},
)
WELL = Report(
    version="0.1.0",
    at=AT,
    processes=[PROCESS],
    redis=REDIS,
    database=DATABASE,
    disk=DiskState(folder="/var/lib/scanbind", free=40 * 1024**3, total=80 * 1024**3),
)
DOWN = Down("no answer within 2 seconds")
