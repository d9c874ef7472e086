"""``python -m mutoscope.runner``: a runner as a process, which prints one line of JSON when it is ready."""

import argparse
import json
import sys
from pathlib import Path

from mutoscope.core import loop
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.logging import configure_logging
from mutoscope.core.stopping import stop_signals
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.faults import FaultPlan
from mutoscope.runner.options import configured, predictors, read_config, upstreams
from mutoscope.runner.parent import end_with_parent
from mutoscope.runner.server import serve


def main() -> int:
    """Read the command line, serve until stopped, and return the exit status."""
    arguments = _parser().parse_args()
    configure_logging(arguments.log_level)
    try:
        config = _config(arguments)
        loop.run(_serve(config, with_parent=arguments.with_parent))
    except (MutoscopeError, OSError) as error:
        sys.stderr.write(f"mutoscope runner: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


async def _serve(config: RunnerConfig, *, with_parent: bool) -> None:
    with stop_signals() as asked:
        if with_parent:
            await end_with_parent(asked)
        await serve(config, ready=lambda url: _announce(config, url), asked=asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mutoscope.runner", description="A local Replicate.")
    parser.add_argument("--state", type=Path, required=True, help="directory of predictions and files")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (0)")
    parser.add_argument("--token", help="the bearer token that clients must send (any)")
    parser.add_argument("--webhook-secret", help="the signing secret, whsec_... (made and kept)")
    parser.add_argument("--fault-plan", type=Path, help="JSON file of faults to commit")
    parser.add_argument("--config", type=Path, help="JSON file with any field of RunnerConfig")
    parser.add_argument("--model", action="append", default=[], help="a model of your own: [NAME=]PATH.py[:CLASS]")
    parser.add_argument("--reload", action="store_true", help="load --model again when its files change")
    parser.add_argument("--cog", action="append", default=[], help="a Cog server that runs: NAME=URL")
    parser.add_argument("--cog-command", action="append", default=[], help="a Cog server to run: NAME=COMMAND")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    parser.add_argument("--log-level", default="INFO")
    return parser


def _config(arguments: argparse.Namespace) -> RunnerConfig:
    fields = read_config(arguments.config)
    given = {name: getattr(arguments, name) for name in ("host", "port", "token", "webhook_secret")}
    fields |= {name: value for name, value in given.items() if value is not None}
    if arguments.fault_plan:
        fields["fault_plan"] = FaultPlan.parse(arguments.fault_plan.read_bytes())
    if arguments.model:
        fields["predictors"] = predictors(arguments.model)
    if arguments.cog:
        fields["cogs"] = upstreams(arguments.cog)
    if arguments.cog_command:
        fields["cog_commands"] = upstreams(arguments.cog_command)
    if arguments.reload:
        fields["reload"] = True
    return configured({**fields, "state_dir": arguments.state})


def _announce(config: RunnerConfig, url: str) -> None:
    secret = config.webhook_secret or (config.state_dir / "webhook_secret").read_text().strip()
    sys.stdout.write(json.dumps({"url": url, "webhook_secret": secret}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
