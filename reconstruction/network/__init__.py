"""The network that separates CT into structures: its grid, its weights and the engines that run it."""
