"""State that several processes share: a Redis or Valkey, one node or a cluster, spoken to within a deadline."""
