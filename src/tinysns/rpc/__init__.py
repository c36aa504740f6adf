"""How processes speak: servers, channels, deadlines and errors of gRPC, made the same way everywhere."""
