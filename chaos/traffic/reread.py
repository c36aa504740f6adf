"""The fresh read: a new client reads the whole timeline again, from one master only."""

from collections.abc import Sequence

from chaos.history import Recorder
from chaos.loop import complete
from tinysns.client import Client, SnsError


def reread(routers: Sequence[str], user: str, master: str, recorder: Recorder) -> str:
    """Writes down all that `master` ("address:port") shows to `user`. Returns "", or why it could not be read."""
    recorder.write("reread", user=user, master=master)
    trouble = ""
    try:
        complete(_reread(routers, user, master, recorder))
    except SnsError as e:
        trouble = str(e)
    recorder.write("end", trouble=trouble)
    recorder.close()
    return trouble


async def _reread(routers: Sequence[str], user: str, master: str, recorder: Recorder) -> None:
    async with Client(routers) as client:
        for post in await client.history(user, only=(master,)):
            recorder.write("got", p=post.position, a=post.author, x=post.text)
