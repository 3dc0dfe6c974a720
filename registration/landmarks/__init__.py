"""Registration of paired landmarks, in known or unknown order, and the checks that refuse impossible pairs."""
