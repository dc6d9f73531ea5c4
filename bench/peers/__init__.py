"""The official registry and ours beside each other: the same entries, the same core, the same questions."""
