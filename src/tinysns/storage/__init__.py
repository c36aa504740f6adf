"""State on disk: what the log has made of users, follows, posts and sessions, in one SQLite file."""
