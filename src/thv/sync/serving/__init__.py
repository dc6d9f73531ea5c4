"""Has registries served on a cluster: the objects that each one owns, and what is known of their state.

In the flow: beside a sync. `objects` say what there should be, `covers` whether it is there, `keeper` makes it so,
`state` tells what became of it, and `kubernetes` is the whole as a reconcile sees it.
"""
