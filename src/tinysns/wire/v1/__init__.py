"""Our own interfaces."""
