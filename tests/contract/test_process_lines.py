"""What a retriever in a process of its own promises, checked on real processes."""

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

ANSWERS = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    hits = [{"id": f"{asked['query']}-{rank}", "score": 1 / rank} for rank in range(1, asked["k"] + 1)]
    print(json.dumps({"id": asked["id"], "hits": hits, "pid": os.getpid()}), flush=True)
"""


def build(program: str, **options: Any) -> Any:
    """The retriever, built as a configuration would build it."""
    command = [sys.executable, "-S", "-c", program]
    stated = {"kind": "process", "command": command, "timeout": "5s", **options}
    return registry.resolve("retriever", stated, where="r").build()


def ask(program: str, **options: Any) -> Ranking:
    """What comes of asking a program once."""

    async def run() -> Ranking:
        retriever = build(program, **options)
        try:
            ranking: Ranking = await retriever.retrieve("who?", 2)
            return ranking
        finally:
            await retriever.close()

    return asyncio.run(run())


def failure_of(program: str, **options: Any) -> RetrieverError:
    """The failure that comes of asking a program once."""
    with pytest.raises(RetrieverError) as caught:
        ask(program, **options)
    return caught.value


def test_hits_come_in_the_order_of_the_process():
    """A question goes in as a line, and its hits come back as one."""
    assert ask(ANSWERS) == Ranking(("who?-1", "who?-2"), (1.0, 0.5))


def test_answers_find_their_questions_in_any_order():
    """A process may answer the last question first."""
    program = """
import json, sys
asked = [json.loads(sys.stdin.readline()) for _ in range(3)]
for each in reversed(asked):
    print(json.dumps({"id": each["id"], "hits": [{"id": each["query"]}]}), flush=True)
sys.stdin.read()
"""

    async def run() -> list[Ranking]:
        retriever = build(program, concurrency=3)
        try:
            return await asyncio.gather(*(retriever.retrieve(query, 1) for query in ("a", "b", "c")))
        finally:
            await retriever.close()

    assert [ranking.doc_ids for ranking in asyncio.run(run())] == [("a",), ("b",), ("c",)]


def test_one_process_answers_until_it_dies_and_then_another_does():
    """A process lives from probe to probe; one that has died is started again, and the probe it died in is told."""
    program = ANSWERS.replace("    asked = json", "    if 'die' in line: sys.exit('no memory left')\n    asked = json")
    program = program.replace("{asked['query']}", "{os.getpid()}")

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
    assert failure.detail == "it ended with status 1: no memory left"


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
    """Whatever a process does wrong is one failure with the right reason."""
    program, reason = MISBEHAVIOUR[case]
    timeout = "300ms" if reason is Reason.TIMEOUT else "5s"
    failure = failure_of(program, timeout=timeout, max_line_bytes=100_000)
    assert failure.reason is reason, failure
    assert "s3cret" not in str(failure)


def test_secrets_of_its_environment_are_left_out_of_what_it_says():
    """The last line of its errors is told, without what was given to it in secret."""
    program = "import os, sys; sys.exit('wrong key ' + os.environ['KEY'])"
    failure = failure_of(program, env={"KEY": "s3cret-token"})
    assert failure.detail == "it ended with status 1: wrong key …"


def test_a_program_that_is_not_there_is_told():
    """A misspelt program is a failure of each probe, not an exception."""
    failure = failure_of("", command=["/no/such/program"])
    assert failure.reason is Reason.UNREACHABLE
    assert failure.detail == "it cannot be started: FileNotFoundError"


def test_much_on_standard_error_does_not_hold_it_up():
    """A process that logs more than a pipe holds is still heard."""
    program = ANSWERS.replace("    hits =", "    sys.stderr.write('log\\n' * 100_000)\n    hits =")
    assert ask(program).doc_ids == ("who?-1", "who?-2")


def test_no_shell_reads_the_command(tmp_path):
    """What would mean something to a shell is an argument like any other."""
    told = tmp_path / "touched"
    program = "import sys; sys.exit(sys.argv[1])"
    failure = failure_of("", command=[sys.executable, "-S", "-c", program, f"$(touch {told}); `id`"])
    assert failure.detail.endswith(f"$(touch {told}); `id`")
    assert not told.exists()


def test_a_process_that_answers_nothing_is_started_again():
    """One that is stuck is ended after the timeout, and the next probe asks another."""
    program = ANSWERS.replace("    asked = json", "    while 'stuck' in line: pass\n    asked = json")

    async def run() -> Ranking:
        retriever = build(program, timeout="700ms")
        try:
            with pytest.raises(RetrieverError, match=r"no answer within 0\.7 s"):
                await retriever.retrieve("stuck", 1)
            ranking: Ranking = await retriever.retrieve("q", 1)
            return ranking
        finally:
            await retriever.close()

    assert asyncio.run(run()).doc_ids == ("q-1",)


def test_closing_ends_the_process_and_what_it_started(tmp_path: Path):
    """Nothing that a process started is left behind, not even what takes no notice."""
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
    """Whether a process ends within some seconds, if it has not ended yet."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], 5.0)[0])
