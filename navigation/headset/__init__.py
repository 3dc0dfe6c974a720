"""Carries out in the case what people do at a headset: the event handler behind the control socket."""
