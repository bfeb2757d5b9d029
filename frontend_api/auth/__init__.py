"""Signing in: passwords, access tokens and rotating refresh tokens."""
