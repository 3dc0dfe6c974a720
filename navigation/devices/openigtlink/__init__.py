"""OpenIGTLink: the protocol (`framing`, `messages`), and the driver of devices that speak it."""
