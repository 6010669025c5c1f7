"""The window of transactions in a Redis or Valkey that processes share."""
