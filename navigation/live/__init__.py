"""The running service: supervised poses from the newest tracker frame, surfaces, and notices to clients."""
