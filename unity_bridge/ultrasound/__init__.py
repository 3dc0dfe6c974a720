"""Live ultrasound on the wire: contours, where they lie, and images, each client at its own pace."""
