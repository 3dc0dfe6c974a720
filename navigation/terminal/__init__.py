"""Output of every command: progress, error messages, sanitised foreign text, JSON files."""
