"""State that several processes share, in a Redis or Valkey: one node or a cluster. Every call has a deadline."""
