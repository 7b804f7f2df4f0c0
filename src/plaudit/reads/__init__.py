"""What administrators and members look at: SELECT only."""
