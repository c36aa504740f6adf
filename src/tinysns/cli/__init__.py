"""The `sns` command: the service for people and for scripts."""
