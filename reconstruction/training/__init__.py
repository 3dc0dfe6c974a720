"""Trains a network on labelled CT, and evaluates it on scans that it was not trained on."""
