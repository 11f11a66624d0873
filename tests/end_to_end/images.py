"""The images of docker-compose.yml, built without a registry where none can be reached.

Our own two are built from deploy/Dockerfile, both targets, without a network: libraries come from
wheels that pip fetched here, and torch from a wheel that only points to where ours is mounted.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Final

from docker.errors import DockerException, ImageNotFound

from tests.conftest import ROOT
from tests.end_to_end.engine import EngineMissing
from workbench.demo.errors import BrokerMissing
from workbench.demo.jars import KAFKA_VERSION, jars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from docker import DockerClient

TORCH_PLACE: Final = "/opt/torch"
BROKER_IMAGE: Final = f"apache/kafka:{KAFKA_VERSION}"

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_SUITES = {"3.11": "bookworm", "3.13": "trixie"}
"""Debian's releases by their Python: that of the images must be ours, for ours is the torch."""
_PACKAGES = "ca-certificates,python3,python3-venv,python3-pip,default-jre-headless"

_LABEL = "latentwatch.test"

_BROKER = """\
FROM {base}
COPY lib /opt/kafka/libs
COPY kafka-topics.sh /opt/kafka/bin/
COPY run /etc/kafka/docker/
RUN useradd --create-home appuser \\
 && cd /etc/kafka/docker && touch server.properties log4j2.yaml tools-log4j2.yaml \\
 && mkdir -p /opt/kafka/config /var/lib/kafka/data /mnt/shared/config \\
 && chown -R appuser /opt/kafka/config /var/lib/kafka /mnt/shared/config
USER appuser
VOLUME /var/lib/kafka/data
CMD ["/etc/kafka/docker/run"]
"""
_BROKER_RUN = """\
#!/bin/sh
set -e
java -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup \\
  --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \\
  --final-configs-dir /opt/kafka/config
exec java $KAFKA_HEAP_OPTS -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
"""
_BROKER_TOPICS = """\
#!/bin/sh
exec java $KAFKA_HEAP_OPTS -cp '/opt/kafka/libs/*' org.apache.kafka.tools.TopicCommand "$@"
"""


class Images:
    """Provides images to an engine, and takes back what it added. Raises EngineMissing."""

    def __init__(self, client: DockerClient, folder: Path, tag: str) -> None:
        self._client = client
        self._folder = folder
        self._tag = tag
        self._added: list[str] = []

    def provide(self) -> None:
        """The broker's image under its own name, ours under the tag."""
        if not self._is_had(BROKER_IMAGE):
            self._build_broker()
        python = f"python:{_PYTHON}-slim-bookworm"
        base = python if self._is_had(python) else self._debian()
        with_wheels = f"latentwatch-wheels:{self._tag}"
        self._build_wheels(base, with_wheels)
        for target in ("training", "worker"):
            self._build(
                f"latentwatch-{target}:{self._tag}",
                ROOT,
                dockerfile="deploy/Dockerfile",
                target=target,
                buildargs={"BASE": with_wheels, "PIP_EXTRA": "--no-index --find-links=/wheels"},
            )

    def remove(self) -> None:
        """Remove what was added, the newest first."""
        for name in reversed(self._added):
            self._client.images.remove(name, force=True)
        self._client.images.prune({"label": f"{_LABEL}={self._tag}"})  # stages that lost their name

    def _is_had(self, name: str) -> bool:
        """Whether the image is there, or can be pulled."""
        try:
            self._client.images.get(name)
        except ImageNotFound:
            try:
                self._client.images.pull(name)
            except DockerException:
                return False
        return True

    def _build(self, name: str, context: Path, **options: object) -> None:
        self._added.append(name)
        self._client.images.build(
            path=str(context),
            tag=name,
            labels={_LABEL: self._tag},
            network_mode="none",
            rm=True,
            forcerm=True,
            **options,
        )

    def _build_broker(self) -> None:
        context = self._folder / "broker"
        context.mkdir()
        try:
            shutil.copytree(jars(), context / "lib")
        except BrokerMissing as error:
            raise EngineMissing(f"{BROKER_IMAGE} cannot be pulled, and {error}") from error
        (context / "Dockerfile").write_text(_BROKER.format(base=self._debian()), encoding="utf-8")
        for name, script in (("run", _BROKER_RUN), ("kafka-topics.sh", _BROKER_TOPICS)):
            (context / name).write_text(script, encoding="utf-8")
            (context / name).chmod(0o755)
        self._build(BROKER_IMAGE, context)

    def _build_wheels(self, base: str, name: str) -> None:
        """An image with the wheels that our Dockerfile asks for, fetched by the pip out here."""
        context = self._folder / "wheels"
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(context)]
        _run([*pip, "--constraint", str(ROOT / "constraints.txt"), *wanted])
        _write_torch_wheel(context)
        (context / "Dockerfile").write_text(f"FROM {base}\nCOPY *.whl /wheels/\n", encoding="utf-8")
        self._build(name, context)

    def _debian(self) -> str:
        """A Debian of our own making, with Python and Java."""
        name = f"latentwatch-debian:{self._tag}"
        if name in self._added:
            return name
        if _PYTHON not in _SUITES:
            raise EngineMissing(f"images cannot be pulled, and no Debian has Python {_PYTHON}")
        if shutil.which("debootstrap") is None or os.geteuid() != 0:
            raise EngineMissing("images cannot be pulled, nor made by debootstrap, run by root")
        root, archive = self._folder / "debian", self._folder / "debian.tar"
        options = ["--variant=minbase", f"--include={_PACKAGES}"]
        _run(["debootstrap", *options, _SUITES[_PYTHON], str(root)])
        _run(["tar", "-C", str(root), "-cf", str(archive), "."])
        shutil.rmtree(root)
        repository, _, tag = name.partition(":")
        self._client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
        archive.unlink()
        self._added.append(name)
        return name


def _run(command: Sequence[str]) -> None:
    """For what needs the network; without it there are no images."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineMissing(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _write_torch_wheel(folder: Path) -> None:
    version = importlib.metadata.version("torch")
    info = f"torch-{version}.dist-info"
    contents = {
        "latentwatch_torch.pth": f"{TORCH_PLACE}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        for name, content in contents.items():
            wheel.writestr(name, content)
