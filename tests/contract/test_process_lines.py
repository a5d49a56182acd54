"""Contract of the process retriever, tested with real processes."""

import asyncio
import os
import select
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from tests.waiting import PATIENCE_S, until

ANSWERS = """
import json, os, sys
for line in sys.stdin:
    request = json.loads(line)
    hits = [{"id": f"{request['query']}-{rank}", "score": 1 / rank} for rank in range(1, request["k"] + 1)]
    print(json.dumps({"id": request["id"], "hits": hits, "pid": os.getpid()}), flush=True)
"""


def build(program: str, **options: Any) -> Any:
    """The retriever, built from its configuration."""
    command = [sys.executable, "-S", "-c", program]
    section = {"kind": "process", "command": command, "timeout": "60s", **options}
    return registry.resolve("retriever", section, where="r").build()


def ask(program: str, **options: Any) -> Ranking:
    """The ranking that a program returns for one query."""

    async def run() -> Ranking:
        retriever = build(program, **options)
        try:
            ranking: Ranking = await retriever.retrieve("who?", 2)
            return ranking
        finally:
            await retriever.close()

    return asyncio.run(run())


def failure_of(program: str, **options: Any) -> RetrieverError:
    """The failure that a program causes for one query."""
    with pytest.raises(RetrieverError) as caught:
        ask(program, **options)
    return caught.value


def test_hits_come_in_the_order_of_the_process():
    """A query is sent as one line, and its hits return as one line."""
    assert ask(ANSWERS) == Ranking(doc_ids=("who?-1", "who?-2"), scores=(1.0, 0.5))


def test_responses_may_arrive_in_any_order():
    """A process may respond to the latest query first."""
    program = """
import json, sys
request = [json.loads(sys.stdin.readline()) for _ in range(3)]
for line in reversed(request):
    print(json.dumps({"id": line["id"], "hits": [{"id": line["query"]}]}), flush=True)
sys.stdin.read()
"""

    async def run() -> list[Ranking]:
        retriever = build(program, concurrency=3)
        try:
            return await asyncio.gather(*(retriever.retrieve(query, 1) for query in ("a", "b", "c")))
        finally:
            await retriever.close()

    assert [ranking.doc_ids for ranking in asyncio.run(run())] == [("a",), ("b",), ("c",)]


def test_a_process_is_reused_and_restarted_after_it_exits():
    """A process serves many probes; after an exit it is restarted, and the interrupted probe fails."""
    death = "    if 'die' in line: sys.exit('no memory left')\n"
    program = ANSWERS.replace("    request = json", f"{death}    request = json")
    program = program.replace("{request['query']}", "{os.getpid()}")

    async def run() -> tuple[list[str], RetrieverError]:
        retriever = build(program)
        try:
            before = [(await retriever.retrieve("q", 1)).doc_ids[0] for _ in range(2)]
            with pytest.raises(RetrieverError) as caught:
                await retriever.retrieve("die", 1)
            return [*before, (await retriever.retrieve("q", 1)).doc_ids[0]], caught.value
        finally:
            await retriever.close()

    (first, second, third), failure = asyncio.run(run())
    assert first == second != third
    assert failure.reason is Reason.BROKEN
    assert failure.detail == "the process exited with status 1: no memory left"


MISBEHAVIOUR: dict[str, tuple[str, Reason]] = {
    "no answer": ("import time; time.sleep(60)", Reason.TIMEOUT),
    "it ends": ("pass", Reason.BROKEN),
    "it is killed": ("import os; os.kill(os.getpid(), 9)", Reason.BROKEN),
    "it closes its output": ("import os, time; os.close(1); time.sleep(60)", Reason.BROKEN),
    "a line that is not JSON": ("print('ready', flush=True); input()", Reason.MALFORMED),
    "a line without a number": ("print('{}', flush=True); input()", Reason.MALFORMED),
    "a list": ("print('[1]', flush=True); input()", Reason.MALFORMED),
    "an endless line": ("import sys\nwhile True: sys.stdout.write('x' * 65536)", Reason.MALFORMED),
    "no hits": ("input(); print('{\"id\": 1}', flush=True); input()", Reason.MALFORMED),
    "too few": ('input(); print(\'{"id": 1, "hits": []}\', flush=True); input()', Reason.MALFORMED),
    "hits that are texts": ('input(); print(\'{"id": 1, "hits": ["a", "b"]}\', flush=True); input()', Reason.MALFORMED),
    "an error": ('input(); print(\'{"id": 1, "error": "s3cret-password"}\', flush=True); input()', Reason.REJECTED),
}


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_every_misbehaviour_is_one_failure_with_its_reason_and_no_secret(case):
    """Every misbehaviour of a process is one failure with the right reason."""
    program, reason = MISBEHAVIOUR[case]
    timeout = "300ms" if reason is Reason.TIMEOUT else "60s"
    failure = failure_of(program, timeout=timeout, max_line_bytes=100_000)
    assert failure.reason is reason, failure
    assert "s3cret" not in str(failure)


def test_secrets_of_the_environment_are_masked_in_errors():
    """The failure contains the final line of stderr, with configured secrets masked."""
    program = "import os, sys; sys.exit('wrong key ' + os.environ['KEY'])"
    failure = failure_of(program, env={"KEY": "s3cret-token"})
    assert failure.detail == "the process exited with status 1: wrong key …"


def test_a_missing_program_is_unreachable():
    """A misspelt program is a failure of each probe, not an exception."""
    failure = failure_of("", command=["/no/such/program"])
    assert failure.reason is Reason.UNREACHABLE
    assert failure.detail == "the process cannot be started: FileNotFoundError"


def test_a_full_stderr_pipe_does_not_block_the_process():
    """A process that logs more than a pipe holds still responds."""
    program = ANSWERS.replace("    hits =", "    sys.stderr.write('log\\n' * 100_000)\n    hits =")
    assert ask(program).doc_ids == ("who?-1", "who?-2")


def test_no_shell_reads_the_command(tmp_path):
    """Shell syntax in an argument is passed on unchanged."""
    marker = tmp_path / "touched"
    program = "import sys; sys.exit(sys.argv[1])"
    failure = failure_of("", command=[sys.executable, "-S", "-c", program, f"$(touch {marker}); `id`"])
    assert failure.detail.endswith(f"$(touch {marker}); `id`")
    assert not marker.exists()


def test_an_unresponsive_process_is_restarted():
    """A stuck process is killed at the timeout, and the next probe starts a new one."""
    program = ANSWERS.replace("    request = json", "    while 'stuck' in line: pass\n    request = json")

    async def run() -> Ranking:
        retriever = build(program, timeout="700ms")
        try:
            with pytest.raises(RetrieverError, match=r"no answer within 0\.7 s"):
                await retriever.retrieve("stuck", 1)
            ranking: Ranking = await until(lambda: answer_in_time(retriever))
            return ranking
        finally:
            await retriever.close()

    assert asyncio.run(run()).doc_ids == ("q-1",)


async def answer_in_time(retriever: Any) -> Ranking | None:
    """A ranking; None where a busy machine starts the process too late for this probe."""
    try:
        ranking: Ranking = await retriever.retrieve("q", 1)
    except RetrieverError as error:
        if error.reason is not Reason.TIMEOUT:
            raise
        return None
    return ranking


def test_closing_stops_the_process_and_its_children(tmp_path: Path):
    """No child process survives, not even one that ignores signals."""
    program = f"""
import os, signal, subprocess, sys
deaf = "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"
child = subprocess.Popen([sys.executable, "-S", "-c", deaf])
open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
{ANSWERS}
signal.pause()
"""

    async def run() -> None:
        retriever = build(program)
        await retriever.retrieve("q", 1)
        await retriever.close()

    asyncio.run(run())
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert has_ended(pid)


def has_ended(pid: int) -> bool:
    """Whether a process ends, if it has not ended yet."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], PATIENCE_S)[0])
