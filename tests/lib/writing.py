"""The engine behind a database's write transactions, to listen to."""

import sqlalchemy as sa

from service.storage.database import Database


def writing_engine(database: Database) -> sa.Engine:
    return database._group.engine if database._group else database._writer.sync_engine
