"""The errors of a storage. The module imports nothing, so that code that uses no storage can catch them."""


class StorageUnavailableError(Exception):
    """The storage cannot be reached, is too slow, or cannot answer now; the request may be repeated soon."""


class StorageFullError(Exception):
    """The storage's memory is full: it accepts no more data until some are deleted."""


class NewerLayoutError(StorageUnavailableError):
    """The storage has a layout that a newer release made, and that this one must not touch."""
