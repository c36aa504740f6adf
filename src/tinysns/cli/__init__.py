"""The `sns` command."""
