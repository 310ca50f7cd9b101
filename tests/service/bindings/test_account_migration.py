"""`scanbind bindings migrate` on every database: what is migrated, left, printed and audited, and how it fails.

Covers: service.bindings.former_identities, service.bindings.migration_report.

Red when `Former.condition` takes identities of the present appid, `AccountMigration._ask` tries one name alone,
`_store` changes something in a dry run, or the report names an identity by its openid.
"""

from typing import Any

import pytest
import sqlalchemy as sa
from migrating import NEW, OLD, Begin, Migration, new, old

from models.audit import AuditEvent
from models.errors import WeChatUnavailable
from models.events import shortened
from models.tables.bindings import bindings
from models.tables.identities import followers as table
from sandbox.migrations import WINDOW
from sandbox.people import Person
from sandbox.quota import DAY
from service.bindings import former_identities
from service.config.settings import ConfigError

KEY = "an encryption key of the tests: long enough"
SUMMARY = (
    "3 identities of the former account: 2 migrated, 0 of them united with an identity of the new account, "
    "1 unknown to WeChat, 0 bound to two users"
)


async def stranger(moving: Migration) -> Person:
    """Make a person who signed in without following the account."""
    person = await moving.person()
    moving.sandbox.contact(person, account=OLD.appid).following = False
    return person


async def test_followers_get_their_new_openid_and_others_are_left_and_named_by_line(moving: Migration) -> None:
    anna, ben = await moving.person(shop="42", club="7"), await moving.person()
    gone = await stranger(moving)
    before = await moving.rows()
    moving.declare()
    report = await moving.run()
    assert (report.migrated, report.united, report.unknown, report.left) == (2, 0, 1, False)
    assert moving.lines == [
        f"main, {shortened(old(gone))}: left: unknown to WeChat, as of a person who did not follow the account",
        SUMMARY,
    ]
    assert await moving.bindings("shop", "42") == await moving.bindings("club", "7") == [moving.now(anna)]
    after = await moving.rows()
    for name, column in (("followers", "id"), ("followers", "person_id"), ("bindings", "follower_id")):
        assert [row[column] for row in after[name]] == [row[column] for row in before[name]]
    assert [row["bound_at"] for row in after["bindings"]] == [row["bound_at"] for row in before["bindings"]]
    known = [row["appid"] for row in after["followers"]]
    assert known == [NEW.appid, NEW.appid, OLD.appid]
    assert await moving.followers().get(moving.account, new(ben))
    told = [(row["change"], row["door"], row["account"]) for row in after["history"]]
    assert told == [("bound", "ticket", "main")] * 2 + [("migrated", "migration", moving.account)] * 2
    [entry] = [row for row in after["audit"] if row["event"] == AuditEvent.IDENTITIES_MIGRATED]
    assert (entry["account"], entry["detail"]) == (moving.account, f"2 of main {OLD.appid}, 0 united")


async def test_a_second_run_asks_for_what_was_left_alone(moving: Migration) -> None:
    await moving.person(shop="42")
    moving.declare()
    await moving.run()
    before, calls = await moving.rows(), moving.sandbox.migrations._calls[NEW.appid].used
    assert (await moving.run()).migrated == 0
    assert moving.sandbox.migrations._calls[NEW.appid].used == calls
    assert await moving.rows() == before


async def test_a_dry_run_prints_the_same_and_changes_nothing(moving: Migration) -> None:
    await moving.person(shop="42")
    anna = await moving.person(shop="43")
    await moving.bind(anna, club="1")
    await moving.learn(anna, "uAnna")
    await moving.learn(anna, "uAnna", before=True)
    await stranger(moving)
    before = await moving.rows()
    moving.declare()
    assert (await moving.run(dry_run=True)).migrated == 2
    assert await moving.rows() == before
    printed = [line.replace("would be ", "") for line in moving.lines]
    moving.lines.clear()
    await moving.run()
    assert moving.lines == printed


async def test_more_than_fit_a_call_are_asked_a_hundred_at_a_time(
    moving: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(former_identities, "_IDS", 120)
    people = [await moving.person() for _ in range(250)]
    moving.declare()
    assert (await moving.run()).migrated == 250
    assert moving.sandbox.migrations._calls[NEW.appid].used == 5  # 100 and 20, twice, and 10
    known = {row["openid"] for row in (await moving.rows())["followers"]}
    assert known == {new(person) for person in people}


async def test_the_name_of_the_former_account_is_found_out_once(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(former_identities, "BATCH", 1)
    async with begin(former_named_by="appid") as moving:
        for _ in range(3):
            await moving.person()
        moving.declare()
        assert (await moving.run()).migrated == 3
        assert moving.sandbox.migrations._calls[NEW.appid].used == 4


async def test_no_other_name_is_tried_once_wechat_took_one(
    moving: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line is of the first batch, after which WeChat forgets the migration."""
    monkeypatch.setattr(former_identities, "BATCH", 1)

    class Lines(list[str]):
        def append(self, line: str) -> None:
            moving.clock.advance(WINDOW)
            super().append(line)

    await stranger(moving)
    await moving.person()
    moving.declare()
    moving.lines = Lines()
    with pytest.raises(WeChatUnavailable, match="63178"):
        await moving.run()
    assert moving.sandbox.migrations._calls[NEW.appid].used == 1


async def test_a_used_up_quota_stops_and_the_next_run_goes_on(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(former_identities, "BATCH", 1)
    async with begin(daily_openid_changes=2) as moving:
        for _ in range(3):
            await moving.person()
        moving.declare()
        with pytest.raises(WeChatUnavailable, match="after midnight in Beijing"):
            await moving.run()
        assert moving.lines[-1].startswith("2 identities of the former account: 2 migrated")
        moving.clock.advance(DAY)
        assert (await moving.run()).migrated == 1


async def test_an_account_without_api_is_named_as_a_fault(moving: Migration) -> None:
    with pytest.raises(ConfigError) as refused:
        await moving.run(api=False)
    assert refused.value.faults[0].startswith("--account: must be one of: ")


async def test_a_row_that_no_key_decrypts_is_left_and_keeps_no_other_from_being_migrated(
    moving: Migration,
) -> None:
    moving.keys = (KEY,)
    anna, _ = await moving.person(shop="42"), await moving.person()
    moving.declare()
    async with moving.database.writing() as connection:
        broken = await connection.scalar(sa.select(sa.func.max(table.c.id)))
        await connection.execute(sa.update(table).where(table.c.id == broken).values(openid_sealed="AQ"))
    report = await moving.run()
    assert (report.migrated, report.unreadable, report.left) == (1, 1, True)
    assert moving.lines[0] == f"main, row {broken}: left: none of encryption.keys decrypts it"
    assert await moving.bindings("shop", "42") == [moving.now(anna)]


async def test_a_former_account_that_is_not_configured_is_named(moving: Migration) -> None:
    await moving.person(shop="42")
    async with moving.database.writing() as connection:
        for it in (table, bindings):
            await connection.execute(sa.update(it).values(account="gone"))
    assert (await moving.run()).left is False
    assert "bindings of accounts that are not configured: gone." in moving.lines[0]


async def test_identities_of_an_older_appid_are_asked_for_as_well(moving: Migration) -> None:
    anna = await moving.person(shop="42")
    theirs = table.c.openid == old(anna)
    async with moving.database.writing() as connection:
        await connection.execute(sa.update(table).where(theirs).values(appid="wx0000000000000000"))
    await moving.person()
    moving.declare()
    assert (await moving.run()).migrated == 2
    assert await moving.bindings("shop", "42") == [moving.now(anna)]


async def test_a_row_from_before_appids_were_stored_is_of_the_former_account_under_its_own_name(
    moving: Migration,
) -> None:
    anna = await moving.person(shop="42")
    moving.declare()
    async with moving.database.writing() as connection:
        await connection.execute(sa.update(table).values(appid=""))
    # Under the same name it counts as of the present appid (docs/adr/0023).
    assert (await moving.run()).migrated == (moving.account == "second")
    assert (await moving.bindings("shop", "42") == [moving.now(anna)]) == (moving.account == "second")


async def test_a_new_openid_that_two_calls_tell_for_two_people_stops_the_command(
    moving: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when only the openids of one answer are compared: the second person would become one with the first."""
    monkeypatch.setattr(former_identities, "BATCH", 1)
    anna, ben = await moving.person(shop="42"), await moving.person(club="7")
    moving.declare()
    moving.sandbox.migrations._to[NEW.appid].openids[old(ben)] = new(anna)
    with pytest.raises(WeChatUnavailable, match="one new openid for two people"):
        await moving.run()
    assert await moving.bindings("shop", "42") == [moving.now(anna)]
    assert [it[2] for it in await moving.bindings("club", "7")] == [old(ben)]


FAILURES: list[tuple[dict[str, Any], int | None, str]] = [
    ({"secret": "0" * 32}, 40001, "correct accounts.{0}.secret"),
    ({"api_base": "http://127.0.0.1:9"}, None, "WeChat does not answer: check that http://127.0.0.1:9"),
]


@pytest.mark.parametrize(("wrong", "errcode", "told"), FAILURES, ids=["wrong secret", "not reachable"])
async def test_a_failed_call_stops_with_one_line_and_nothing_is_changed(
    moving: Migration, wrong: dict[str, Any], errcode: int | None, told: str
) -> None:
    await moving.person(shop="42")
    moving.declare()
    before = await moving.rows()
    with pytest.raises(WeChatUnavailable) as stopped:
        await moving.run(**wrong)
    assert stopped.value.errcode == errcode
    assert str(stopped.value).startswith(told.format(moving.account))
    assert await moving.rows() == before
    assert len(moving.lines) == 1


async def test_an_original_id_that_wechat_does_not_know_says_so(moving: Migration) -> None:
    await moving.person(shop="42")
    if moving.account == "main":
        with pytest.raises(WeChatUnavailable, match=r"from gh_wrong or the former appid: correct --from; .*63178"):
            await moving.run(gh_id="gh_wrong")
    else:  # then the original id tells which account is the former one
        assert (await moving.run(gh_id="gh_wrong")).migrated == 0
        assert moving.lines[0].startswith("no account is configured with gh_id gh_wrong")


async def test_a_window_that_is_over_says_so(moving: Migration) -> None:
    await moving.person(shop="42")
    moving.declare()
    moving.clock.advance(WINDOW)
    before = await moving.rows()
    with pytest.raises(WeChatUnavailable, match="15 days after a migration WeChat forgets the new openids"):
        await moving.run()
    assert await moving.rows() == before
