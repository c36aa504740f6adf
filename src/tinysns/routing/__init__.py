"""Where clients go: the table of masters and the policy over it."""
