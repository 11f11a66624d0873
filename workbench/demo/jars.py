"""Where the jars of Apache Kafka lie, and how they come there: fetched once with Maven.

Knows nothing of running a broker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from workbench.demo.errors import BrokerFailed, BrokerMissing

# Not newer: 4.3 and 4.4 can lose transaction markers, which exactly_once depends on.
KAFKA_VERSION = "4.2.1"
LOG4J_VERSION = "2.25.1"
JARS_VARIABLE = "LATENTWATCH_BROKER_JARS"

_MARKER_JAR = f"kafka_2.13-{KAFKA_VERSION}.jar"
_FETCH_TIMEOUT_S = 900.0
_ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),  # the command-line classes
    ("org.apache.logging.log4j", "log4j-core", LOG4J_VERSION),  # logging is not in Kafka's pom
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
)
_DEPENDENCY = """\
    <dependency>
      <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
    </dependency>
"""
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>latentwatch</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
{}  </dependencies>
</project>
"""


def jars_folder() -> Path:
    """Where the jars belong: the folder of the variable, the checkout's cache, or the user's."""
    named = os.environ.get(JARS_VARIABLE)
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[2]
    cache = Path(".cache") if (checkout / "pyproject.toml").is_file() else None
    home = checkout / cache if cache else Path.home() / ".cache" / "latentwatch"
    return home / f"kafka-{KAFKA_VERSION}" / "lib"


def jars() -> Path:
    """The folder with all jars of the broker, fetched first where it is not there.

    Raises BrokerFailed where the variable names a folder without them, BrokerMissing where they
    cannot be fetched.
    """
    folder = jars_folder()
    if (folder / _MARKER_JAR).is_file():
        return folder
    if os.environ.get(JARS_VARIABLE):
        message = f"{JARS_VARIABLE} names {folder}, which has no {_MARKER_JAR}"
        raise BrokerFailed(message)
    _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise BrokerMissing("no broker's jars and no mvn on the PATH to fetch them")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Fetched beside the target and renamed: whoever looks sees all jars or none.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as workplace:
        fetched = Path(workplace) / "lib"
        _copy_dependencies(Path(workplace) / "pom.xml", fetched)
        if not (fetched / _MARKER_JAR).is_file():
            message = f"Maven ended well but gave no {_MARKER_JAR}"
            raise BrokerFailed(message)
        if not folder.exists():
            fetched.rename(folder)


def _copy_dependencies(pom: Path, target: Path) -> None:
    dependencies = "".join(_DEPENDENCY.format(*artifact) for artifact in _ARTIFACTS)
    pom.write_text(_POM.format(dependencies), encoding="utf-8")
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    try:
        done = subprocess.run(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_FETCH_TIMEOUT_S,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"Maven did not fetch the broker's jars within {_FETCH_TIMEOUT_S:.0f} s"
        raise BrokerMissing(message) from error
    if done.returncode != 0:
        message = f"Maven could not fetch the broker's jars:\n{done.stdout[-2000:]}"
        raise BrokerMissing(message)
