"""What people do, as locust plays it."""
