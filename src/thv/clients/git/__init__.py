"""The git program as a client: what a reference points at, and the bytes of files behind it.

In the flow: under the source of kind `git`. Knows no registry word.

Nothing is ever checked out: a bare, shallow and blobless fetch into a directory of its own, then `ls-tree` and
`cat-file`. So no hook, no filter, no submodule and no link of a repository can act on this machine.
"""
