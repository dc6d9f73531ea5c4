"""Mirrors of sources and what registries selected from them: the working state of `sync`, all of it derived."""
