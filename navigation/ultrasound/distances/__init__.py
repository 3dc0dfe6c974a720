"""Distances in live ultrasound: from placed contours to structures of the plan in ``ct``, to tips in ``reference``."""
