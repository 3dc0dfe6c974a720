"""Writes the wire's code from unity_bridge/wire/wire_schema.toml: ``make wire``.

It stands beside the packages, not in one: it must run when what it generated is missing or wrong.
"""
