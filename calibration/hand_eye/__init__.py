"""Hand-eye calibration: where what one device sees sits on what another device sees, and when both clocks agree."""
