"""Places that registries come from: bytes and a revision, one file a kind behind one interface.

In the flow: before `formats`. Of the content only envelope and cursor are read here.
"""
