"""Tokens that OpenID issuers signed, checked by their published keys."""
