"""The recorder: everything that the service took in and sent out, in one MCAP file, written by a process of its own."""
