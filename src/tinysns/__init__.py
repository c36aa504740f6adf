"""Tiny SNS: a small social network service that keeps serving while its processes are killed."""

import os

__version__ = "0.1.0"

# gRPC's core reads this once, when it is imported, and would write about every connection that ends. What matters of it
# reaches us as exceptions; set the variable to hear more.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
