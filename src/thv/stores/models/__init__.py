"""The read model of a registry: its snapshot as an indexed file that answers every question of the API.

In the flow: after a snapshot was written, before it is served. Whoever serves a registry builds its model from
the chunks (`apply`) and asks it (`model`); the files are a cache that can always be made again.
"""
