"""The tables, and how a database file is opened: plain enough to be read with the sqlite3 shell while debugging."""

import sqlite3
from pathlib import Path

FOREVER = 1 << 62
"""`until` of a follow that is in force: above every position."""

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x534E5321  # "SNS!"; with it `file sns.db` and we ourselves tell our file from another's

_TABLES = f"""
-- One row. applied_index: the log entry up to which all of this file was made; it changes in the same transaction.
-- installed_index: where the copy of another member's state, from which this file began, stood; 0 if it began empty.
CREATE TABLE meta(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  cluster_id TEXT NOT NULL,
  applied_index INTEGER NOT NULL,
  installed_index INTEGER NOT NULL
);

-- since: position (log entry << 16 | number in the entry) of the first login.
CREATE TABLE users(
  name TEXT PRIMARY KEY,
  since INTEGER NOT NULL
) WITHOUT ROWID;

-- Intervals, kept for ever: the user sees those posts of the target with since < position < until.
-- until of a follow in force: {FOREVER}. Nobody has a row for following himself.
CREATE TABLE follows(
  user TEXT NOT NULL,
  target TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (user, target, since)
) WITHOUT ROWID;
CREATE INDEX followers ON follows(target, user) WHERE until = {FOREVER};

-- time_unix_ns: the leader's clock, for display only; the order is that of the positions.
CREATE TABLE posts(
  author TEXT NOT NULL,
  position INTEGER NOT NULL,
  time_unix_ns INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (author, position)
) WITHOUT ROWID;

-- session: the 64 bits as a signed number. last: the number of its last executed write, made by log entry used_index.
-- answers: of the last writes, oldest first, 8 bytes each, little-endian: position << 4 | outcome.
CREATE TABLE sessions(
  session INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  used_index INTEGER NOT NULL,
  answers BLOB NOT NULL
);

PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


class StateError(Exception):
    """The state on disk cannot be used as it is; str() is one sentence that says why and what to do."""


class ForeignState(StateError):
    """The file belongs to another cluster."""


class UnknownSchema(StateError):
    """The file was not made by a version of the program that this one understands."""


def write_empty(path: Path, cluster_id: str) -> None:
    """Makes a new database file, complete in itself (no write-ahead log) and not yet synced."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(f"BEGIN; {_TABLES}")
        database.execute("INSERT INTO meta VALUES (1, ?, 0, 0)", (cluster_id,))
        database.execute("COMMIT")
    finally:
        database.close()


def connect(path: Path, *, read_only: bool, busy_seconds: float = 5.0) -> sqlite3.Connection:
    """A connection without implicit transactions, for use by one thread at a time; the file must exist."""
    mode = "ro" if read_only else "rw"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_seconds,
        cached_statements=512,
    )


def check_belongs(database: sqlite3.Connection, cluster_id: str) -> None:
    """Raises UnknownSchema or ForeignState unless this is a state of this cluster in our schema."""
    application = _number(database, "PRAGMA application_id")
    version = _number(database, "PRAGMA user_version")
    if application != _APPLICATION_ID:
        raise UnknownSchema(
            "the file is not a state of Tiny SNS; restore the state or rebuild this member from the others"
        )
    if version != SCHEMA_VERSION:
        raise UnknownSchema(
            f"the state has schema version {version}, this program knows version {SCHEMA_VERSION} only;"
            " run the version of the program that wrote it"
        )
    (found,) = database.execute("SELECT cluster_id FROM meta").fetchone()
    if found != cluster_id:
        raise ForeignState(
            f"the state belongs to cluster {found}, not to {cluster_id}; point this master to its own data folder"
        )


def read_applied_index(database: sqlite3.Connection) -> int:
    """Inside a transaction: where the view of this transaction stands."""
    return _number(database, "SELECT applied_index FROM meta")


def read_installed_index(database: sqlite3.Connection) -> int:
    """See the table meta."""
    return _number(database, "SELECT installed_index FROM meta")


def signed(session: int) -> int:
    """A session id as SQLite can hold it."""
    return session - (1 << 64) if session >> 63 else session


def unsigned(stored: int) -> int:
    """The reverse of `signed`."""
    return stored & ((1 << 64) - 1)


def _number(database: sqlite3.Connection, query: str) -> int:
    (value,) = database.execute(query).fetchone()
    return int(value)
