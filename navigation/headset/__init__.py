"""What people do at a headset, done in the case: the desk behind the control socket."""
