"""Poses at the client: the receiver, judgement of their age, and logs."""
