"""What members' apps call: the first generation, and the present one's views."""
