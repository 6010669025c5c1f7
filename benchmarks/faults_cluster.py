"""The cluster and the service of `faults.py`, and the faults that are made in them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import RedisError
from servers import Server

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from timeseries_project.tests.redis_servers import RedisCluster, RedisServer, free_port  # noqa: E402

WORKERS = 4
#: Seconds for which a fault lasts that lasts as long as one likes, and for which a replication link is cut.
LASTING, CUT_SECONDS = 5.0, 1.0
PATIENCE = 90
#: Slots that are moved: a quarter of all.
SLOTS = 4_096


class UnsettledError(Exception):
    """The cluster or the service does not get into a state that it has to get into."""


class Seen(NamedTuple):
    """A server as another one sees it."""

    identity: str
    is_master: bool
    failed: bool
    master: str
    slots: int


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; what raises does not hold."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except (OSError, RedisError, StopIteration):
            pass
        if time.monotonic() > deadline:
            raise UnsettledError(f"In {PATIENCE} s it did not come to this: {what}.")
        time.sleep(0.05)


class Cluster(RedisCluster):
    """Three masters with replicas."""

    def __init__(self, kind: str, options: Sequence[str], replicas: int, chance: random.Random) -> None:
        self.kind, self.options, self.chance = kind, tuple(options), chance
        super().__init__(kind, *self.options, replicas=replicas)
        self.first = self.url
        self.paused: list[RedisServer] = []

    def client(self, server: RedisServer) -> Redis:
        """Return a client that does not wait for long."""
        return Redis(port=server.port, socket_timeout=3, socket_connect_timeout=3)

    def view(self, server: RedisServer) -> dict[int, Seen]:
        """Return how a server sees all others, by their ports."""
        with self.client(server) as client:
            nodes: dict[str, dict[str, Any]] = client.execute_command("CLUSTER NODES")
        return {
            int(address.rpartition(":")[2]): Seen(
                identity=node["node_id"],
                is_master="master" in node["flags"],
                failed="fail" in node["flags"] or "handshake" in node["flags"] or "noaddr" in node["flags"],
                master=node["master_id"],
                slots=sum(int(last) - int(first) + 1 for first, *_, last in ((s[0], s[-1]) for s in node["slots"])),
            )
            for address, node in nodes.items()
        }

    def masters(self) -> list[RedisServer]:
        """Return the servers that serve slots, in the eyes of one that runs."""
        asked = next(server for server in self.servers if server.process.poll() is None and server not in self.paused)
        view = self.view(asked)
        return [s for s in self.servers if view[s.port].is_master and view[s.port].slots and not view[s.port].failed]

    def some(self) -> tuple[RedisServer, list[RedisServer]]:
        """Return a master at random, and its replicas."""
        master = self.chance.choice(self.masters())
        view = self.view(master)
        identity = view[master.port].identity
        return master, [server for server in self.servers if view[server.port].master == identity]

    def is_settled(self) -> bool:
        """Whether all servers agree that all is well, and every replica has what its master has."""
        views = [self.view(server) for server in self.servers]
        for server, view in zip(self.servers, views, strict=True):
            with self.client(server) as client:
                told = client.info("replication")
                if client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                    return False
            if told["role"] == "slave" and told["master_link_status"] != "up":
                return False
            if view[server.port].slots and not any(
                told.get(f"slave{n}", {}).get("state") == "online" for n in range(told["connected_slaves"])
            ):
                return False
            if len(view) != len(self.servers) or any(seen.failed for seen in view.values()):
                return False
        shares = [{seen.identity: seen.slots for seen in view.values()} for view in views]
        return sum(shares[0].values()) == 16_384 and all(share == shares[0] for share in shares)

    def settle(self) -> None:
        """Wait until all is well again."""
        until(self.is_settled, "all servers agree that all is well")

    def await_takeover(self, replicas: Sequence[RedisServer]) -> None:
        """Wait until one of them serves the slots of their master."""
        until(lambda: any(self.view(one)[one.port].slots for one in replicas), "a replica takes over")

    def manage(self, *arguments: str) -> None:
        """Run redis-cli --cluster."""
        program = shutil.which(f"{self.kind}-cli") or "redis-cli"
        command = [program, "--cluster", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise UnsettledError(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr[-500:]}")

    def resharded(self, source: str, target: RedisServer, slots: int) -> None:
        """Move slots, from one server or from all."""
        to = self.view(target)[target.port].identity
        options = ["--cluster-from", source, "--cluster-to", to, "--cluster-slots", str(slots), "--cluster-yes"]
        self.manage("reshard", self.address(self.servers[0]), *options)

    @staticmethod
    def address(server: RedisServer) -> str:
        return f"127.0.0.1:{server.port}"

    def add(self, *options: str) -> RedisServer:
        """Start a further server and let all others know it.

        Without replicas it takes all writes, for else redis-cli cannot load the functions of the others. When its last
        slot is moved away it stays a master, for else redis-cli takes it for a failure that Valkey makes it a replica.
        """
        more = ("--min-replicas-to-write", "0", "--cluster-allow-replica-migration", "no")
        server = RedisServer(self.kind, "--cluster-enabled", "yes", *self.options, *more)
        others = list(self.servers)
        self.servers.append(server)
        self.manage("add-node", self.address(server), self.address(others[0]), *options)
        until(lambda: all(server.port in self.view(other) for other in others), "a new server is known")
        return server

    def remove(self, server: RedisServer) -> None:
        """Let all others forget a server, and stop it."""
        identity = self.view(server)[server.port].identity
        self.servers.remove(server)
        self.manage("del-node", self.address(self.servers[0]), identity)
        server.stop()


def service(url: str, directory: Path) -> Server:
    """Return the service with its workers; it is not started yet."""
    port = free_port()
    environment = {"PORT": str(port), "WORKERS": str(WORKERS), "STORAGE_URL": url, "BANDWIDTHS_FILE": ""}
    return Server(
        "the service", port, [sys.executable, "-m", "timeseries_project.serve"], "/readyz", directory, environment
    )


def workers(server: Server) -> list[int]:
    """Return the workers of a service."""
    assert server.process
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pause(cluster: Cluster, server: Server) -> None:
    """Stall a master for five seconds; its replica takes over meanwhile if that is longer than its timeout."""
    master, _ = cluster.some()
    master.pause()
    cluster.paused.append(master)
    try:
        time.sleep(LASTING)
    finally:
        master.resume()
        cluster.paused.remove(master)


def restart(cluster: Cluster, server: Server) -> None:
    """Kill a master and start it at once, with its append-only file."""
    master, _ = cluster.some()
    master.kill()
    master.start()


def takeover(cluster: Cluster, server: Server) -> None:
    """Kill a master, let its replica take over, and start it again a while later."""
    master, replicas = cluster.some()
    master.kill()
    cluster.await_takeover(replicas)
    time.sleep(LASTING / 2)
    master.start()


def link(cluster: Cluster, server: Server) -> None:
    """Cut the link of a master to its replica for a second, then kill the master and let the replica take over."""
    master, replicas = cluster.some()
    with cluster.client(master) as client:
        client.execute_command("ACL", "SETUSER", "default", "-psync", "-sync")
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
    time.sleep(CUT_SECONDS)
    master.kill()
    cluster.await_takeover(replicas)
    master.start()


def failover(cluster: Cluster, server: Server) -> None:
    """Let a replica and its master change places."""
    _, replicas = cluster.some()
    with cluster.client(replicas[0]) as client:
        client.execute_command("CLUSTER", "FAILOVER")
    cluster.await_takeover(replicas)


def reshard(cluster: Cluster, server: Server) -> None:
    """Add a master with a replica, move a quarter of all slots to it, and back; remove both."""
    before = cluster.masters()
    master = cluster.add()
    identity = cluster.view(master)[master.port].identity
    replica = cluster.add("--cluster-slave", "--cluster-master-id", identity)
    until(lambda: _follows(cluster, replica), "a new replica follows its master")
    with cluster.client(before[0]) as client:
        needed = client.config_get("min-replicas-to-write")["min-replicas-to-write"]
    _needs(cluster, master, needed)
    cluster.resharded("all", master, SLOTS)
    cluster.settle()
    _needs(
        cluster, master, "0"
    )  # once it is empty its replica leaves it, and Valkey must still be told of the last slot
    for place, old in enumerate(before):
        cluster.resharded(identity, old, SLOTS // 3 + (place < SLOTS % 3))
        cluster.settle()
    cluster.remove(replica)
    cluster.remove(master)


def _needs(cluster: Cluster, master: RedisServer, replicas: str) -> None:
    with cluster.client(master) as client:
        client.config_set("min-replicas-to-write", replicas)


def _follows(cluster: Cluster, replica: RedisServer) -> bool:
    with cluster.client(replica) as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def full(cluster: Cluster, server: Server) -> None:
    """Let a master have too little memory for five seconds."""
    master, _ = cluster.some()
    with cluster.client(master) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) // 2)
        time.sleep(LASTING)
        client.config_set("maxmemory", 0)


def killed_workers(cluster: Cluster, server: Server) -> None:
    """Kill each worker of the service in turn."""
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: len(workers(server)) == WORKERS and pid not in workers(server), "a worker is replaced")  # type: ignore[misc]
        time.sleep(LASTING / 5)


class Fault(NamedTuple):
    """A fault, and whether acknowledged writes may be lost in it where the storage promises no more."""

    act: Callable[[Cluster, Server], None]
    may_lose: bool

    @property
    def title(self) -> str:
        return (self.act.__doc__ or "").split(";")[0].rstrip(".").lower()


FAULTS = {
    "pause": Fault(pause, True),
    "restart": Fault(restart, True),
    "takeover": Fault(takeover, True),
    "failover": Fault(failover, False),
    "reshard": Fault(reshard, False),
    "full": Fault(full, False),
    "workers": Fault(killed_workers, False),
    "link": Fault(link, True),
}
