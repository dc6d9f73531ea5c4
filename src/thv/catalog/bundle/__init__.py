"""From a registry to what a place without a way out needs of it: values that a store of bundles writes.

In the flow: entries -> carried -> parts; `thv catalog save` has them written, `thv catalog load` opens what came over.
"""
