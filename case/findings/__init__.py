"""What people marked in a case, such as in ultrasound: points, contours, volumes, with their frame and error."""
