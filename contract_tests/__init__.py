"""Black-box tests: a real server as a child process, spoken to over real HTTP."""
