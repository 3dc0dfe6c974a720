"""The wire protocol: envelope, schema, the messages generated from it, and the conversion to Unity's convention."""
