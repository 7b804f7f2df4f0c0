"""Code that operations of several generations of the API share."""
