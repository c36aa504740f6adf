"""The interfaces of the course, as far as they are the same for whoever serves them: a master, or the proxy on 3010."""
