"""The interface of 2017 under its other package."""
