"""Generates the code of the wire protocol from unity_bridge/wire/wire_schema.toml: ``make wire``.

It is not part of a package, since it must run when the generated code is missing or wrong.
"""
