"""The commands for recordings: ``surgnav replay``, ``surgnav export`` and ``surgnav summary``."""
