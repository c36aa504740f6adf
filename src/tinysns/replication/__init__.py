"""One member of the consensus group for asyncio: the face of the native node, the applier, compaction, state copies."""
