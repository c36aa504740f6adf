"""The names that ^I completes: the newest listing there is, refreshed behind the back of whoever types."""

import asyncio
import contextlib
from collections.abc import Sequence

from tinysns.client import Client, Listing, SnsError

_FRESH_SECONDS = 2.0


class Names:
    """Answers at once with what it knows; asking for names is also what makes it look for newer ones."""

    def __init__(self, client: Client, user: str) -> None:
        self._client, self._user = client, user
        self._listing = Listing((), (), ())
        self._fresh_until = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    def learn(self, listing: Listing) -> None:
        """A listing came by for another reason."""
        self._listing = listing
        self._fresh_until = asyncio.get_running_loop().time() + _FRESH_SECONDS

    def expire(self) -> None:
        """Who follows whom has just changed."""
        self._fresh_until = 0.0

    def to_follow(self) -> Sequence[str]:
        self.refresh()
        return sorted(set(self._listing.users) - set(self._listing.following) - {self._user})

    def to_unfollow(self) -> Sequence[str]:
        self.refresh()
        return self._listing.following

    def refresh(self) -> None:
        """Starts to look for newer names, unless it does already or those known are fresh."""
        now = asyncio.get_running_loop().time()
        if now >= self._fresh_until and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh(), name="names to complete")

    async def close(self) -> None:
        if self._refreshing:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _refresh(self) -> None:
        with contextlib.suppress(SnsError):  # older names do as well
            self.learn(await self._client.list(self._user))
