"""The wire: the envelope, the schema and the messages generated from it, and the convention of Unity."""
