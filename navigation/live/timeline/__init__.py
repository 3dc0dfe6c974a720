"""What each tool did over the last half second, so that poses of different times and devices meet at one instant."""
