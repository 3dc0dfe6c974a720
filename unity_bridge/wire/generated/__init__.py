"""The wire in Python, generated from wire_schema.toml by `make wire`: edit that, not these."""
