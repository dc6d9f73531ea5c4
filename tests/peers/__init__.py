"""Programs of others that speak the same API as we do: as our clients, and as our sources."""
