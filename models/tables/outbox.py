"""The tables of events to deliver, and of the endpoints that take none at present."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from models.outbox import EndpointFault, State
from models.tables.columns import (
    DETAIL,
    EVENT,
    KEY_ID,
    LOOKUP,
    NAME,
    NUMBER,
    USER_ID,
    Choice,
    Identifier,
    Instant,
    metadata,
    serial,
)

outbox: Final = sa.Table(
    "outbox",
    metadata,
    serial(),  # the order of the events
    # The same for all targets of one event, and in each try: `webhook-id`.
    sa.Column("message", Identifier(LOOKUP), nullable=False),
    # What delivers it: an endpoint of webhooks, without its address.
    sa.Column("target", Identifier(LOOKUP), nullable=False),
    sa.Column("client", Identifier(NAME)),  # none: the operator
    sa.Column("event", Identifier(EVENT), nullable=False),
    sa.Column("user_id", Identifier(USER_ID)),
    # Whose events arrive in order. The person as it was then: identities may be joined later.
    sa.Column("follower_id", NUMBER),
    sa.Column("person_id", NUMBER),
    # JSON, encrypted if the openids are. None once it was erased.
    sa.Column("payload", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")),
    sa.Column("sealed_by", Identifier(KEY_ID)),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("state", Choice(State), nullable=False),
    # The person was erased: the payload goes when it is not needed any more.
    sa.Column("erased", sa.Boolean, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("lease", Identifier(LOOKUP)),
    sa.Column("leased_until", Instant),
    # Of the last try; the answer is encrypted like the payload.
    sa.Column("tried_at", Instant),
    sa.Column("status", sa.Integer),
    sa.Column("fault", Identifier(DETAIL)),
    sa.Column("answer", sa.LargeBinary(2048)),
    sa.UniqueConstraint("message", "target"),
    sa.Index(None, "state", "target", "due_at", "id"),
    sa.Index(None, "follower_id", "target", "state", "id"),
    sa.Index(None, "person_id", "target", "state", "id"),
    sa.Index(None, "client", "user_id"),
    sa.Index(None, "sealed_by", "id"),
    sqlite_autoincrement=True,  # a later event never gets the number of an earlier one
)
webhook_endpoints: Final = sa.Table(
    "webhook_endpoints",
    metadata,
    # No row: nothing is known against it.
    sa.Column("target", Identifier(LOOKUP), primary_key=True),
    # Consecutive failures, and when the first of them was.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", Instant),
    sa.Column("disabled", Choice(EndpointFault)),
    sa.Column("disabled_at", Instant),
    # Nothing is tried before.
    sa.Column("paused_until", Instant),
)
