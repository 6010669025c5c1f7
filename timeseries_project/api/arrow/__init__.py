"""Arrow IPC streams: bodies read as columns, and answers written as them."""

import pyarrow as pa

# Memory that is freed goes back to the allocator of the process, which returns it to the system.
pa.set_memory_pool(pa.system_memory_pool())
