"""Tests of navigation.ultrasound.findings."""
