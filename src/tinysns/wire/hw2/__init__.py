"""The course's interface of 2017."""
