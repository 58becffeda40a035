"""What happens after a fall: specs, restarts, decide, and the Supervisor actor."""
