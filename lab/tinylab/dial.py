"""ssh's ProxyCommand for the lab: connects inside the switch, hands the socket to ssh, and ends.

dial.py SWITCH HOST PORT; it runs as a copy in the lab's state, so it stands alone.
"""

import ctypes
import socket
import sys

CLONE_NEWNET = 0x40000000
CONNECT_SECONDS = 5


def main(switch: str, host: str, port: str) -> None:
    try:
        with open(switch) as namespace:
            if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET):
                sys.exit("lab: cannot enter the lab's network; become root (sudo)")
        connection = socket.create_connection((host, int(port)), CONNECT_SECONDS)
    except FileNotFoundError:
        sys.exit("lab: the lab is not up; run `lab/hosts up`")
    except OSError as error:
        sys.exit(f"lab: {host} does not answer ({error.strerror or error}); `lab/hosts status` shows which hosts do")
    connection.settimeout(None)  # ssh expects a blocking socket
    socket.send_fds(socket.socket(fileno=1), [b"\0"], [connection.fileno()])


main(*sys.argv[1:])
