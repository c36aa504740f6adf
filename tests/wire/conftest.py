"""A running master to speak bytes with."""

from tests.sns.conftest import master

__all__ = ["master"]
