"""The append-only log of a search: events, append, replay and lock."""
