"""Bundles: folders that are carried to where there is no way out, with a manifest of what lies in them."""
