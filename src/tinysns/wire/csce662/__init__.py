"""The course's interface under its other number."""
