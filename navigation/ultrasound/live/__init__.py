"""Live ultrasound in the room: frames paired with the probe's poses by time, placed in the patient, and given out."""
