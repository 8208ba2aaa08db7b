"""`infraprism import` as a user runs it, against a real server."""
