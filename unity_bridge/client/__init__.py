"""The reference client in Python, for tests, for measurements, and as a model for other clients."""

from unity_bridge.client.recording import ClientRecording, load_recording
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient

__all__ = ["ClientRecording", "ClientSettings", "Endpoints", "ReferenceClient", "load_recording"]
