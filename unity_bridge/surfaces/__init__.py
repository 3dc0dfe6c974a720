"""Surfaces as bytes: levels of detail, compression, and the socket that they are pulled from."""
