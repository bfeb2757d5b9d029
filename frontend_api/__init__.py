"""The gateway: REST API, accounts, prediction history and the web page."""
