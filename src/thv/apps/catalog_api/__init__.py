"""The catalog API: all registries together, each caller's part of them.

In the flow: beside the API of each registry, which hangs under `/r/<namespace>/<registry>`. A request is answered from
the registries that its caller may list; `catalog` holds what is asked, `endpoints` lists what can be asked.
"""
