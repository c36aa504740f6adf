"""Addresses as all processes give them to each other: "address:port", literal, so that nothing is ever looked up."""

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
        raise BadAddress(
            f'an address is "address:port" like 10.0.0.1:3010 or [fd00::1]:3010, and never a name, not {text[:80]!r}'
        )
