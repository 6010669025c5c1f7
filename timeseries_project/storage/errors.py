"""Why a storage did not do what it was asked. Needs nothing, so that it can be caught where no storage is used."""


class StorageUnavailableError(Exception):
    """The storage cannot be reached, does not answer in time, or cannot answer now; it may be asked again soon."""


class StorageFullError(Exception):
    """The storage's memory is full: it takes no more data until some is deleted."""
