"""Tests of navigation.ultrasound.live."""
