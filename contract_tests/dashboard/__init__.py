"""The dashboard in a real browser, and its routes without one."""
