"""What can go wrong with a signed token: it is not good, nobody can say, or there is none."""

from __future__ import annotations


class TokenRefusedError(Exception):
    """The token is not good; why is for our log alone."""


class IssuerUnavailableError(Exception):
    """The issuer cannot be asked, or what it says of itself cannot be used."""


class GrantRefusedError(Exception):
    """The issuer gives no tokens for a code."""

    def __init__(self, word: str) -> None:
        """`word` is what the issuer calls it, `""` where it says nothing that is a word."""
        super().__init__(f"no tokens are given: {word or 'it says not why'}")
        self.word = word
