"""Tests of navigation.ultrasound.distances."""
