"""Filters of a tool's pose: each states the delay that it adds, and keeps the measured pose beside the filtered one."""
