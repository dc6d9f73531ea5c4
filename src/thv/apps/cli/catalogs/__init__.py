"""The catalog as commands ask it: at an address, or made of the registries that are kept here or on a cluster."""
