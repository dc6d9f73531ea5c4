"""Translators between text and domain values; pure: no I/O, no clock.

In the flow: after a source gave bytes, before the filter; and again when something is exported or served.
"""
