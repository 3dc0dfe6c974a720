"""The API pages, made from the docstrings."""
