"""The production server: HTTP connections, one serving process, and the supervisor of several. Knows no framework."""
