"""``surgnav ultrasound``: contours on recorded and live ultrasound."""
