"""Training on images with masks beside them, such as ultrasound frames: files, split, augmentation, scores, export."""
