"""What must happen after the answer: jobs, a schedule, a worker."""
