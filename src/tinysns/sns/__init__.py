"""The service itself: accounts, follows, posts, timelines, and the interfaces they are offered by."""
