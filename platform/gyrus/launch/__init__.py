"""Starting things: Ray, the replicas, the gateway and trainings, here as processes on loopback."""
