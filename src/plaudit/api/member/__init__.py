"""The operations for members' apps, with a member's token."""
