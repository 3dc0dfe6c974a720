"""Whether a registration may guide anybody: findings, touches that test it, the verdict with its reasons."""
