"""Reads CT of any supported format: Hounsfield units in the frame `ct` with a verdict, or an error."""
