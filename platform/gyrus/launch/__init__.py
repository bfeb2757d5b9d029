"""Starting things: Ray, the replicas, the gateway and trainings.

On one machine as processes on loopback; `kubernetes` is for a cluster.
"""
