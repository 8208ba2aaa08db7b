"""Bad input and bad manners: each a clear answer, and others are served meanwhile."""
