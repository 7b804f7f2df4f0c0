"""What members' apps call, with a member's token."""
