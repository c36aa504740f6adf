"""Tiny SNS: a small social network service that keeps serving while its processes are killed."""

__version__ = "0.1.0"
