"""The commands for recordings: ``surgnav replay`` and ``surgnav export``."""
