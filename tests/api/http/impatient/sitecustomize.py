"""Read by each process of a server under test before anything else: its API waits for bodies for a second only."""

import sys

if "plaudit" in sys.orig_argv and "--child" in sys.orig_argv:
    from plaudit.api.http import bodies

    assert "GRACE_SECONDS" in vars(bodies)
    bodies.GRACE_SECONDS = 1.0
