"""The state machine on SQLite: what an applied log amounts to."""
