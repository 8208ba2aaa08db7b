"""What the SDK adds to its host: time of a call, CPU, memory, threads, import and exit."""
