"""Everything in one process on one machine: `thv dev` and `thv serve`."""
