"""The resource store: every object of ours, with the semantics of a Kubernetes API server.

In the flow: reconcilers, API and command line speak to `base.ResourceStore`; which kind answers, only a door
knows. The embedded kinds share everything (`embedded`, `machinery`, `schema`) but the place of their rows.
"""
