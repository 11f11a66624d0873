"""The workbench's words: demo, simulate."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from workbench.demo.faults import SHARE
from workbench.demo.simulate import Published, Simulation
from workbench.demo.simulate import simulate as simulate_fleet
from worker.commands.options import CONFIG, SERVERS, settings_from

FAULTS_MAX = 0.2
"""More of them would find no room among the sound records."""

SEED = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The same seed: the same fleet and faults.",
)


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=45,
    show_default=True,
    envvar="DEMO_SECONDS",
    show_envvar=True,
    help="How long records flow, set-up apart.",
)
@SEED
@click.option(
    "--source",
    type=click.Path(exists=True, path_type=Path),
    help="Your own records instead of a simulated fleet: a file, or a folder of files.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".cache/demo"),
    show_default=True,
    help="Takes the model, the events, and what was sent.",
)
def demo(seconds: float, seed: int, source: Path | None, folder: Path) -> None:
    """See it work: fill a topic, learn it, and watch faults being found live.

    \b
    Examples:
      latentwatch demo
      latentwatch demo --seconds 120 --seed 3
      latentwatch demo --source readings.jsonl

    Takes the best broker that can be had: the one that LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS names,
    a container, one from Kafka's jars, else a log in memory. The last line is for programs.
    """
    # Here, since it brings torch along, which simulate does without.
    from workbench.app import demo as play_demo  # noqa: PLC0415
    from workbench.demo.story import DemoSettings  # noqa: PLC0415

    settings = DemoSettings(seconds, seed, source, folder, os.environ)
    play_demo(settings, _write, on_terminal=sys.stdout.isatty())


@click.command()
@click.option(
    "--topic",
    help="Topic to publish to; it must be there.  [env var: LATENTWATCH_TOPIC; required]",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=100,
    show_default=True,
    help="Live records a second.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    help="How long live records flow.  [default: until it is stopped]",
)
@SEED
@click.option(
    "--faults",
    type=click.FloatRange(min=0, max=FAULTS_MAX),
    default=SHARE,
    show_default=True,
    help="Share of faults in the live records, of six kinds equally often; an eighth as many more"
    " records cannot be read.",
)
@click.option("--history", is_flag=True, help="First a week of sound records, to learn from.")
@SERVERS
@CONFIG
def simulate(
    rate: float,
    seconds: float | None,
    seed: int,
    faults: float,
    config: Path | None,
    *,
    history: bool,
    **given: object,
) -> None:
    """Publish the readings of a simulated fleet of pumps to a topic, faults among them.

    \b
    Examples:
      latentwatch simulate --topic readings --history --seconds 60
      latentwatch simulate --topic readings --rate 20 --faults 0.005

    What is wrong with a record stands in its header simulated-fault, which latentwatch does not
    read; a sound one has no such header. A record stands for 10 seconds of the fleet's own time,
    which its field timestamp tells. Ends in order with Ctrl-C, and says what it has published.
    """
    settings = settings_from(config, given).settings
    until = "until it is stopped" if seconds is None else f"for {seconds:g} s"
    click.echo(f"publishing {rate:g} records/s to {settings.topic} {until}", err=True)
    simulation = Simulation(seed, rate, seconds, faults, history)
    click.echo(_published_line(settings.topic, simulate_fleet(settings, simulation)))


def _published_line(topic: str, published: Published) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(published.faults.items()))
    return (
        f"{published.past:,} records of the past and {published.live:,} live ones acknowledged on"
        f" {topic}; wrong with them: {kinds or 'nothing'}"
    )


def _write(text: str) -> None:
    click.echo(text, nl=False)
