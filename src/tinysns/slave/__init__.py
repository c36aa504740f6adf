"""The slave process: it spawns, watches and restarts the master of its host."""
