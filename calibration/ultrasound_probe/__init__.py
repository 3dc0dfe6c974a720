"""An ultrasound probe and its marker: when an image was taken, and where its pixels lie in the probe's frame."""
