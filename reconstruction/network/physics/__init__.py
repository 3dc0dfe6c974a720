"""What the CT itself proves, combined with any network's probabilities: borders, and what is out of place."""
