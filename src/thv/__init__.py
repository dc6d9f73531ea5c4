"""A Kubernetes-native registry and catalog for MCP servers.

The house, from the ground up (every floor imports downward only, `make lint` holds it):

    domain       words: frozen values and rules; no I/O
    formats      text <-> domain                    clients   plumbing: HTTP, git; know no registry word
    sources      bytes and a revision               stores    resources, chunks, mirrors, read models
    sync         fetch -> parse -> filter -> snapshot
    apps         doors: command line, registry API, the one-machine process; `kit` is what they share
"""

__version__ = "0.2.0"
