"""What can stop a run before it has begun."""


class CannotRun(Exception):
    """str() is one sentence for a person, which says what to do."""
