"""The screen of whoever runs the service: who came and went, what was refused, how old the poses are."""
