"""The commands of `sns`. Imports of the client stand inside them, so that --help and completion start fast."""

import json as json_
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tinysns import __version__
from tinysns.cli import completing, running, settings

if TYPE_CHECKING:
    from tinysns.client import Client, Listing, TimelinePost

_EPILOG = """\b
Exit status:
  0  done
  1  the service refused it (it had no effect)
  2  wrong usage or settings
  3  nobody answered, the outcome is not known, or (status) something is not well
  130  interrupted with ^C

Routers: --router ADDRESS:PORT (may be repeated), else SNS_ROUTERS=ADDRESS:PORT,..., else /etc/tinysns/client.toml.
"""

_user = click.argument("user", shell_complete=completing.users)
_target = click.argument("target", shell_complete=completing.users)
_router = click.option(
    "--router", "routers", multiple=True, metavar="ADDRESS:PORT", help="A router to ask. May be given several times."
)
_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would say "Aborted!" and exit with 1, which means something else here
            sys.exit(running.EXIT_INTERRUPTED)


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sns")
def main() -> None:
    """Tiny SNS: log in, follow, post and read timelines; see how the service is."""


@main.command()
@_user
@_router
def login(user: str, routers: tuple[str, ...]) -> None:
    """Log USER in. The first time makes the user known."""

    from tinysns.cli.shell.course import welcome

    async def work(client: "Client") -> None:
        answer = await client.session().login(user)
        click.echo(welcome(user, answer.outcome))

    running.with_client(routers, work)


@main.command()
@_user
@_target
@_router
def follow(user: str, target: str, routers: tuple[str, ...]) -> None:
    """Let USER follow TARGET: posts from now on appear in USER's timeline."""

    async def work(client: "Client") -> None:
        await client.session().follow(user, target)
        click.echo(f"{user} follows {target}")

    running.with_client(routers, work)


@main.command()
@_user
@_target
@_router
def unfollow(user: str, target: str, routers: tuple[str, ...]) -> None:
    """Let USER follow TARGET no longer."""

    async def work(client: "Client") -> None:
        await client.session().unfollow(user, target)
        click.echo(f"{user} no longer follows {target}")

    running.with_client(routers, work)


@main.command("list")
@_user
@_json
@_router
def list_(user: str, as_json: bool, routers: tuple[str, ...]) -> None:
    """Show all users, who follows USER and whom USER follows."""

    async def work(client: "Client") -> None:
        _show_listing(user, await client.list(user), as_json)

    running.with_client(routers, work)


def _show_listing(user: str, listing: "Listing", as_json: bool) -> None:
    if as_json:
        fields = {"users": listing.users, "followers": listing.followers, "following": listing.following}
        click.echo(json_.dumps({"user": user, **fields}))
        return
    click.echo(f"users:     {' '.join(listing.users)}")
    click.echo(f"followers: {' '.join(listing.followers)}")
    click.echo(f"following: {' '.join(listing.following)}")


@main.command()
@_user
@click.argument("text")
@_json
@_router
def post(user: str, text: str, as_json: bool, routers: tuple[str, ...]) -> None:
    """Post TEXT as USER; with - as TEXT, every line of standard input is a post (empty lines are left out)."""
    from tinysns.cli import lines, posting

    async def work(client: "Client") -> None:
        if text == "-":
            count = await posting.post_lines(client, user, lines.lines(sys.stdin.buffer))
            click.echo(json_.dumps({"posts": count}) if as_json else f"posted {count} lines")
        else:
            position = await client.session().post(user, [text])
            click.echo(json_.dumps({"posts": 1, "position": position}) if as_json else f"posted at position {position}")

    running.with_client(routers, work)


@main.command()
@_user
@click.option("--follow", "-f", "forever", is_flag=True, help="Wait for new posts, through failovers too.")
@click.option(
    "--after", "after_position", type=click.IntRange(0), default=0, metavar="POSITION", help="Only later posts."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after so many posts.")
@_json
@_router
def timeline(
    user: str, forever: bool, after_position: int, limit: int | None, as_json: bool, routers: tuple[str, ...]
) -> None:
    """Show the posts of those whom USER follows, oldest first. With --json, one object a line."""
    from tinysns.cli import reading

    async def work(client: "Client") -> None:
        async for batch in reading.posts(client, user, after_position, forever, limit):
            click.echo("\n".join(_show_post(p, as_json) for p in batch))

    running.with_client(routers, work)


def _show_post(post: "TimelinePost", as_json: bool) -> str:
    if as_json:
        return json_.dumps(asdict(post))
    from tinysns.cli import reading

    return f"{reading.clock(post.time_unix_ns)} {post.author}: {reading.printable(post.text)}"


@main.command()
@_json
@_router
def status(as_json: bool, routers: tuple[str, ...]) -> None:
    """Show every process, who leads, terms and positions. Exit status 3 if something is not well."""
    from tinysns.cli import status_table
    from tinysns.client.status import cluster_status

    async def work() -> None:
        found = await cluster_status(settings.routers(routers))
        status_table.show(found, as_json)
        if troubles := found.troubles():
            running.fail("not well: " + "; ".join(troubles), running.EXIT_UNKNOWN)

    running.run(work())


@main.command()
@_user
@_router
def shell(user: str, routers: tuple[str, ...]) -> None:
    """The interactive screen of the course's client, as USER: LIST, FOLLOW, UNFOLLOW, TIMELINE (in any case), EXIT.

    In the timeline every line is a post; ^C goes back to the commands, ^D ends. ^I completes, the arrow keys bring
    earlier lines back (kept in $XDG_STATE_HOME/tinysns).

    With input from a pipe or a file it prints what the course's client would print, ends with the input once every
    post is acknowledged, and with the worst status of its commands. Explanations go to standard error.
    """
    from tinysns.cli.shell.opening import run_shell

    sys.exit(running.run(run_shell(settings.routers(routers), user)))


@main.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes SHELL complete sns: commands, options, and users if a router answers at once.

    \b
    bash (4.4 or newer)  eval "$(sns completion bash)"     in ~/.bashrc
    zsh                  eval "$(sns completion zsh)"      in ~/.zshrc
    fish                 sns completion fish | source      in ~/.config/fish/config.fish
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    written_for = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    click.echo(written_for(main, {}, "sns", "_SNS_COMPLETE").source())


for _one in main.commands.values():
    _one.epilog = _EPILOG  # who asks about one command gets to read it, too


if __name__ == "__main__":
    main(prog_name="sns")
