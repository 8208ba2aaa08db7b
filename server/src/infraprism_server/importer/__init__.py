"""Files of LLM calls, sent through the API: `infraprism import`. It never opens a store itself."""
