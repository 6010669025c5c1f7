"""Bytes per device in a Redis or Valkey that processes share."""
