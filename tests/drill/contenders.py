"""What the clients of a drill call: two gateways behind HAProxy, of either kind, or the backends themselves."""

import shutil
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path

from processes import Failed, fill, free_ports, listens, until

ROOT = Path(__file__).resolve().parents[2]


class Direct:
    """No proxy: clients spread their calls over the backends."""

    name, title = "direct", "no proxy"

    def __init__(self, stage, backends):
        self.addresses = backends

    def kill_redis(self):
        pass

    def start_redis(self):
        pass

    def kill_gateway(self):
        pass

    def start_gateway(self):
        pass


class Pair(Direct):
    """Two gateways of one kind behind HAProxy, which asks them whether they are well."""

    def __init__(self, stage, backends):
        self.stage = stage
        self.backends = backends
        self.prepare()
        front, self.first, self.second = free_ports(3)
        self.gateway = self.start(self.first)
        self.start(self.second)
        self.start_haproxy(front)
        self.addresses = [front]

    def prepare(self):
        """Starts what the gateways share."""

    def start(self, port):
        """Starts a gateway on this port."""
        raise NotImplementedError

    def start_haproxy(self, port):
        words = {name: self.haproxy_server(each) for name, each in [("FIRST", self.first), ("SECOND", self.second)]}
        text = fill("haproxy.cfg", PORT=f"127.0.0.1:{port}", CHECK=self.haproxy_check, **words)
        config = self.stage.write("haproxy.cfg", text)
        self.stage.start("haproxy", program("haproxy"), "-db", "-f", config)
        until(lambda: listens(port), "haproxy")

    def haproxy_server(self, port):
        return f"127.0.0.1:{port}"

    haproxy_check = ""

    def kill_gateway(self):
        self.gateway.kill()

    def start_gateway(self):
        self.gateway = self.start(self.first)


class Larder(Pair):
    """Two Larders that share a Redis."""

    name, title = "larder", "Larder"
    haproxy_check = "option httpchk GET /readyz"

    def prepare(self):
        [self.redis_port] = free_ports(1)
        self.admin = {}
        self.start_redis()

    def start(self, port):
        if port not in self.admin:
            [self.admin[port]] = free_ports(1)
        admin = self.admin[port]
        text = fill(
            "larder.toml",
            PORT=f"127.0.0.1:{port}",
            ADMIN=f"127.0.0.1:{admin}",
            ENDPOINTS=[f"127.0.0.1:{each}" for each in self.backends],
            REDIS=f"redis://127.0.0.1:{self.redis_port}",
            IDL=Path(__file__).parent / "catalogue.thrift",
        )
        config = self.stage.write(f"larder-{port}.toml", text)
        process = self.stage.start("larder", ROOT / "target/release/larder", "serve", "--config", config)
        until(lambda: is_ready(admin), "larder")
        return process

    def haproxy_server(self, port):
        return f"127.0.0.1:{port} port {self.admin[port]}"

    def kill_redis(self):
        self.redis.kill()

    def start_redis(self):
        words = ["--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.redis = self.stage.start("redis", program("redis-server"), *words, "--dir", self.stage.folder)
        until(lambda: listens(self.redis_port), "redis")


class Envoy(Pair):
    """Two Envoys with outlier detection."""

    name, title = "envoy", "Envoy, outlier detection"

    def start(self, port):
        indent = " " * 8
        text = fill(
            "envoy.yaml",
            PORT=port,
            ENDPOINTS="\n".join(
                f"{indent}- endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {each}}}}}}}"
                for each in self.backends
            ),
        )
        config = self.stage.write(f"envoy-{port}.yaml", text)
        arguments = ["-c", config, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
        process = self.stage.start("envoy", envoy(), *arguments)
        until(lambda: listens(port), "envoy")
        return process


ALL = [Larder, Envoy, Direct]


def program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Failed(f"{name} is not installed")
    return found


def envoy():
    """The binary in its Python package, whose `envoy` command is a script around it."""
    packaged = Path(sysconfig.get_paths()["purelib"]) / "envoy/_bin/envoy"
    return packaged if packaged.exists() else program("envoy")


def is_ready(admin):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1) as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False
