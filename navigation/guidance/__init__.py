"""Guidance: where a tool's tip is beside the plan, how near it is to structures at risk, and how a screw would lie."""
