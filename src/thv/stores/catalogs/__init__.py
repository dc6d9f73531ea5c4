"""The catalog's read model: the latest version of every server of every registry, joined in one file.

In the flow: behind the read models of the registries, which stay as they are. `join` takes over what changed in one of
them; `scope` says which part of it somebody may see, `listing`, `search` and `tools` answer from that part alone.
"""
