"""What administrators and members read: SELECT only."""
