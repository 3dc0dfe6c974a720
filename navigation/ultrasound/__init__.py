"""Ultrasound: newest frame in, contours out, in a process of its own; what is shown, drawn and recorded of them."""
