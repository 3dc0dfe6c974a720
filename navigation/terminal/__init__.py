"""What every command writes with: progress, errors as people read them, foreign text made harmless, JSON files."""
