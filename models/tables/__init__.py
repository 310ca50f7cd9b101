"""The tables of the database, a file a feature. The one place in models/ that imports SQLAlchemy."""

from models.tables import audit, bindings, commits, identities, portal, tickets

__all__ = ["audit", "bindings", "commits", "identities", "portal", "tickets"]
