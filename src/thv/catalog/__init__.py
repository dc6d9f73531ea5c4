"""What people do with the content of registries: install servers of it.

In the flow: above the stores, below the doors. Deciding is pure; whoever calls writes what was decided.
"""
