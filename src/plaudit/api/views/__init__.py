"""What responses show."""
