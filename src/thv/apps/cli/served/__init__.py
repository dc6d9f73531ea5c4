"""Reading a registry of which only the address of its API is known."""
