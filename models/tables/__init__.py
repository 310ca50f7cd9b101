"""The database tables, one file per feature. Only this package of models/ imports SQLAlchemy."""

from models.tables import audit, bindings, commits, identities, portal, profiles, tickets

__all__ = ["audit", "bindings", "commits", "identities", "portal", "profiles", "tickets"]
