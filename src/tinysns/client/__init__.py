"""The client library: warm channels, writes exactly once, timelines that resume."""
