"""Tunes a network on a few labelled scans of a site, without losing what it knew."""
