"""CT in, from whatever program wrote it: Hounsfield units in the frame `ct`, with a verdict, or an error."""
