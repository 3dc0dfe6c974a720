"""Tests of case.findings."""
