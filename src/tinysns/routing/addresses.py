"""Addresses as masters give them to routers, and routers to clients: "address:port", literal, never a name."""

import ipaddress


class BadAddress(ValueError):
    """str() is one sentence for people."""


def check_address(text: str) -> None:
    """Raises BadAddress unless `text` is a literal IP address (IPv6 in brackets) and a port."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        literal = ipaddress.ip_address(host[1:-1] if bracketed else host).version == (6 if bracketed else 4)
    except ValueError:
        literal = False
    good_port = port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 1 << 16 and port == str(int(port))
    if not (literal and good_port):
        raise BadAddress(f'a master\'s text is "address:port" like 10.0.0.1:3011 or [fd00::1]:3011, not {text[:80]!r}')
