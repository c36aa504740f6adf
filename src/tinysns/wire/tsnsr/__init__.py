"""The router of the assignment's card."""
