"""Trained nnU-Net v2 folders, run without nnU-Net: plan, grid, architecture, windows."""
