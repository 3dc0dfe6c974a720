"""What this machine has, and whether it is enough: measured, not looked up."""

from navigation.doctor.examination import DoctorSettings, examine
from navigation.doctor.report import DoctorReport, Finding, Status
from navigation.doctor.screen import render

__all__ = ["DoctorReport", "DoctorSettings", "Finding", "Status", "examine", "render"]
