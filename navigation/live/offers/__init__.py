"""Keeps surfaces on offer and the registration in force as the case has them: watches the case, prepares surfaces."""
