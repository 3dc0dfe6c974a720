"""Examines whether this machine meets the requirements of SurgNav, by measurement where possible."""

from navigation.doctor.examination import DoctorSettings, examine
from navigation.doctor.report import DoctorReport, Finding, Status
from navigation.doctor.screen import render

__all__ = ["DoctorReport", "DoctorSettings", "Finding", "Status", "examine", "render"]
