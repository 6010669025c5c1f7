"""Series of datapoints in a Redis or Valkey that processes share."""
