"""The reference client: warm channels, retries without doubles, timelines that resume, errors that say what is so."""

from tinysns.client.blocking import BlockingClient
from tinysns.client.client import Client
from tinysns.client.codec import Listing, TimelinePost
from tinysns.client.errors import CursorAhead, Definite, Indefinite, Refusal, SnsError, Unreachable
from tinysns.client.limits import Limits
from tinysns.client.routes import Route
from tinysns.client.session import Session
from tinysns.client.waits import Wait

__all__ = [
    "BlockingClient",
    "Client",
    "CursorAhead",
    "Definite",
    "Indefinite",
    "Limits",
    "Listing",
    "Refusal",
    "Route",
    "Session",
    "SnsError",
    "TimelinePost",
    "Unreachable",
    "Wait",
]
