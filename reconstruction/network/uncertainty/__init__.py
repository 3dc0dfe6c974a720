"""How sure the network is of what it says, and where a person should look first."""
