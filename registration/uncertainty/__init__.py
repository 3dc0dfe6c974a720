"""What a pose is worth: error of each landmark, errors that all share, and the error to expect at any point."""
