"""What each command of ``surgnav`` does: one module or one room for each."""
