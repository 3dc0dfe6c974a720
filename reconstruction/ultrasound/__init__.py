"""Ultrasound frames: what lies in them, in pixels of the frame. Placing a frame in the patient is not done here."""
