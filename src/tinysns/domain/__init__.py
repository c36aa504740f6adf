"""Rules and values: no IO, no clock, no chance, no gRPC, no logging."""
