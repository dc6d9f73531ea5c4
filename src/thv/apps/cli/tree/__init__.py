"""What belongs to a registry, as a tree: on a cluster and on one machine."""
