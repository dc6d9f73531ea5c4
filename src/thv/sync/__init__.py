"""Keeps registries in step with their sources: fetch -> parse -> filter -> snapshot.

In the flow: the middle of the house. `flow` lists the steps of one sync, `reconcile` decides when one is due and
writes the status; nothing here knows a concrete source or store, or whether it runs on Kubernetes.
"""
