"""A room: which devices there are, which tools they see, and all of them as one tracker."""
