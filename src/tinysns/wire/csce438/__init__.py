"""The course's interface."""
