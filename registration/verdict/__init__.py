"""Decides whether a registration may be used: findings, verification touches, and the verdict with its reasons."""
