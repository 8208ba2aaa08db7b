"""What every event store must do, whatever its engine."""
