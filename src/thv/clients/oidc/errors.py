"""What can go wrong with a signed token: it is not good, or nobody can say."""

from __future__ import annotations


class TokenRefusedError(Exception):
    """The token is not good; why is for our log alone."""


class KeysUnavailableError(Exception):
    """The keys of the issuer cannot be had."""
