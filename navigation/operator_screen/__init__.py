"""The operator's screen: clients that join and leave, refusals, events from headsets, age of the poses."""
