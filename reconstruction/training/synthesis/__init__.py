"""Training samples from label maps without CT: synthetic contrast within calibrated HU."""
