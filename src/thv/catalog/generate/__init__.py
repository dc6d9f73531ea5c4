"""From a selection to a registry of one's own: a request is read, resolved, and becomes manifests, all of it values.

In the flow: request -> resolve -> entry -> manifests; `create` writes what comes out, `files` makes text of it.
"""
