"""Runs the code blocks of pages and closes with the line `docs: N blocks ran, M not run, all passed`.

The tag of a block says what becomes of it:

    sh          runs in bash
    python      runs in Python
    sql         runs by `magic sql --data copy`; at the source, as its root, when the first line is `-- at the source`
    yaml, json  a configuration of `magic serve`, which `magic config check` reads (with users in /etc/magic-db); a JSON text
    text, swift is shown only; so are commands within sentences. Their words and options have to be those of `magic`

The blocks of a page run in their order, in one folder. Right before a block the line `<!-- not run: reason -->`
excludes it. A page finds a MariaDB on 127.0.0.1:3306 with the shop of scripts/demo.py and the user `magic` with the
password `secret`, an empty folder `copy`, and this repository's `examples`, `.build-spark` and
`.deps/pyspark`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from demo import SHOP  # noqa: E402
from harness import MAGIC, ROOT, MariaDB  # noqa: E402

SECONDS_OF_A_BLOCK = 120
SECONDS_TO_END = 30
RUNNING, CHECKED, SHOWN = ("sh", "sql", "python"), ("yaml", "json"), ("text", "swift")
AT_THE_SOURCE = "-- at the source\n"
FENCE = re.compile(r"( *)(`{3,})\s*(\S*)")
NOT_RUN = re.compile(r"\s*<!-- not run\b:?\s*(.*?)\s*-->\s*")


class Block:
    def __init__(self, line, tag, before):
        self.line, self.tag = line, tag
        self.text = ""
        mark = NOT_RUN.fullmatch(before)
        self.is_excluded = mark is not None
        self.reason = mark[1] if mark else ""

    def fault(self):
        """What is wrong with it as it is written, or None."""
        if not self.tag:
            return "the block has no tag"
        if self.tag not in RUNNING + CHECKED + SHOWN:
            return f"the tag is unknown; known: {', '.join(RUNNING + CHECKED + SHOWN)}"
        if self.is_excluded and not self.reason:
            return "`not run` has no reason"
        return None


class Page:
    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.blocks = []
        self.prose = []  # the lines outside of blocks, and their numbers
        self.faults = []
        block = fence = None
        before = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            opening = FENCE.match(line)
            if block is None and opening:
                fence = opening
                block = Block(number, opening[3], before)
                self.blocks.append(block)
            elif block is not None and line.strip() == fence[2]:
                block = None
            elif block is not None:
                block.text += line.removeprefix(fence[1]) + "\n"
            else:
                if NOT_RUN.fullmatch(before):
                    self.faults.append((number - 1, "`not run` stands before no block"))
                self.prose.append((number, line))
            before = line
        if block is not None:
            self.faults.append((block.line, "the block has no end"))

    def anchors(self):
        """The names by which GitHub links to the headings."""
        found = {}
        for _, line in self.prose:
            heading = re.match(r"#{1,6} +(.*?)\s*#*$", line)
            if heading is None:
                continue
            text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", heading[1])
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found[name] = found.get(name, -1) + 1
            if found[name]:
                found[f"{name}-{found[name]}"] = 0
        return found

    def shown(self):
        """What may have commands that do not run: sentences and shown blocks, with their lines."""
        for number, line in self.prose:
            yield from ((number, span) for span in re.findall(r"`([^`]+)`", line))
        yield from ((block.line, block.text) for block in self.blocks if block.tag == "text" or block.is_excluded)

    def dead_links(self, anchors_of):
        for number, line in self.prose:
            for target in re.findall(r"\]\(<?([^)\s>]+)", re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                path = (self.path.parent / file).resolve() if file else self.path
                if not path.exists():
                    yield number, f"the link leads nowhere: {target}"
                elif anchor and path.suffix == ".md" and anchor not in anchors_of(path):
                    yield number, f"there is no such heading: {target}"


def anchors_by_path():
    known = {}

    def anchors_of(path):
        if path not in known:
            known[path] = Page(path).anchors()
        return known[path]
    return anchors_of


class Commands:
    """The commands of `magic` and their options, as the program tells them."""

    def __init__(self):
        told = subprocess.run([MAGIC, "--experimental-dump-help"], capture_output=True, check=True).stdout
        self.root = json.loads(told)["command"]

    def faults(self, text):
        """What is wrong with the commands in a text."""
        for line in text.splitlines():
            # What follows may be another program's.
            for words in re.findall(r"(?:^|[\s`$])magic ([a-z][^`#;&\\]*)", line):
                yield from self.faults_of(re.split("  +| -- ", words)[0])

    def faults_of(self, words):
        command, names = self.root, ["magic"]
        for word in words.split():
            below = {each["commandName"]: each for each in command.get("subcommands", [])}
            choices = word.split("|")
            if choices[0] in below:
                if unknown := [each for each in choices if each not in below]:
                    yield f"there is no command {' '.join(names)} {unknown[0]}"
                command = below[choices[0]]
                names.append(choices[0])
            elif len(names) == 1:
                return  # a word of a sentence
            elif option := re.match(r"\[?(--[a-z][a-z-]*)", word):
                options = {"--" + name["name"] for each in command.get("arguments", []) for name in each.get("names") or []}
                if option[1] not in options:
                    yield f"{' '.join(names)} has no option {option[1]}"


class Place:
    """The folder of a page, what its commands find around them, and the source."""

    def __init__(self, folder):
        self.folder = folder / "page"
        self.home = folder / "home"
        self.aside = folder / "block"
        for each in (self.folder, self.folder / "copy", self.home, self.aside, self.home / "bin", self.home / "tmp"):
            each.mkdir()
        (self.folder / ".deps").mkdir()
        for name in ("examples", ".build-spark", ".deps/pyspark"):
            (self.folder / name).symlink_to(ROOT / name)
        (self.home / "bin/magic").symlink_to(MAGIC.resolve())
        self.source = MariaDB("--port=3306", "--sql-mode=NO_ENGINE_SUBSTITUTION")
        self.source.execute(
            "SET SESSION sql_log_bin = 0", "CREATE OR REPLACE USER magic@'%' IDENTIFIED BY 'secret'",
            "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO magic@'%'")
        self.source.execute("CREATE DATABASE shop")
        self.source.execute(*SHOP, database="shop")
        (self.home / ".curlrc").write_text("fail\n")  # a refused request fails its block
        (self.home / ".my.cnf").write_text(f"[client]\nsocket={self.source.socket}\n")

    def environment(self):
        kept = {name: os.environ[name] for name in ("LANG", "JAVA_HOME", "MAGIC_ENGINE_LIBRARY") if name in os.environ}
        pyspark = ROOT / ".deps/pyspark"
        path = [self.home / "bin", ROOT / ".deps/python/bin", pyspark / "pyspark/bin", os.environ["PATH"]]
        return kept | {
            "PATH": ":".join(map(str, path)), "HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(pyspark), "SPARK_HOME": str(pyspark / "pyspark"),
            "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(ROOT / ".deps/python/bin/python")}

    def command(self, block):
        """What runs the block, and what that reads."""
        if block.tag == "sh":
            return ["bash", "-euo", "pipefail", "-c", block.text], None
        if block.tag == "python":
            return ["python", "-c", block.text], None
        if block.tag == "yaml":
            file, users = self.aside / "magic.yaml", self.aside / "users.json"
            file.write_text(block.text.replace("/etc/magic-db/", f"{self.aside}/"))
            users.touch(mode=0o600)
            users.write_text('{"version": 1, "users": [{"name": "olga", "role": "admin", "tokens": ["sha256:%s"]}]}' % ("0" * 64))
            return ["magic", "config", "check", str(file)], None
        if block.text.startswith(AT_THE_SOURCE):
            return ["mariadb", "-u", "root", "--table"], block.text
        return ["magic", "sql", "--data", "copy", "-e", block.text], None

    def run(self, block):
        """What went wrong, or None. What the block has started in the background goes on."""
        command, text = self.command(block)
        given, log = self.aside / "in", self.aside / "out"
        given.write_text(text or "")
        # Programs in the background may keep the output open, so it is a file.
        with open(given) as given, open(log, "w") as output:
            process = subprocess.Popen(
                command, stdin=given, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
                env=self.environment(), start_new_session=True)
        try:
            status = process.wait(SECONDS_OF_A_BLOCK)
            fault = f"it ended with status {status}" if status else None
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            fault = f"it did not end within {SECONDS_OF_A_BLOCK} s"
        return fault and "\n".join([fault, log.read_text(errors="replace")[-4000:], *self._logs()])

    def _logs(self):
        for log in sorted(self.folder.glob("*.log")):
            yield f"the end of {log.name}:\n" + log.read_text(errors="replace")[-1000:]

    def end(self):
        """Ends what the page has left running, then its source, and removes its files. Gives what had to be killed."""
        stubborn = []
        try:
            left = self._left()
            for pid in left:
                send(pid, signal.SIGTERM)
            deadline = time.monotonic() + SECONDS_TO_END
            while self._left() and time.monotonic() < deadline:
                time.sleep(0.05)
            stubborn = [name for name in map(name_of, self._left()) if name]
            while self._left():
                for pid in self._left():
                    send(pid, signal.SIGKILL)
                time.sleep(0.05)
        finally:
            self.source.stop()
            for each in (self.folder, self.home, self.aside):
                shutil.rmtree(each)
        return stubborn

    def _left(self):
        """The processes of this namespace that are neither ours nor dead; its first one is a shell that waits for us."""
        ours = {1, os.getpid(), self.source.process.pid}
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid not in ours and name_of(pid)]


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def name_of(pid):
    """The command of a process, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Report:
    def __init__(self):
        self.ran = self.excluded = self.failed = 0

    def line(self, page, number, tag, seconds, verdict):
        place = f"{page.name}:{number}"
        print(f"{place:<32}{tag or '–':<8}{'' if seconds is None else f'{seconds:6.1f} s':<10}{verdict}", flush=True)

    def fail(self, page, number, tag, seconds, text):
        self.failed += 1
        first, *others = text.rstrip().split("\n")
        self.line(page, number, tag, seconds, f"FAILED: {first}")
        for each in others:
            print(f"    {each}", flush=True)


def check_json(block):
    try:
        json.loads(block.text)
    except ValueError as error:
        return str(error)


def test(page, report, anchors_of, commands, folder):
    wrong = [(number, fault) for number, text in page.shown() for fault in commands.faults(text)]
    for number, text in [*page.faults, *page.dead_links(anchors_of), *wrong]:
        report.fail(page, number, "", None, text)
    place = None
    try:
        for block in page.blocks:
            if fault := block.fault():
                report.fail(page, block.line, block.tag, None, fault)
            elif block.is_excluded:
                report.excluded += 1
                report.line(page, block.line, block.tag, None, f"not run ({block.reason})")
            elif block.tag not in SHOWN:
                if block.tag != "json":
                    place = place or Place(folder)
                start = time.monotonic()
                fault = check_json(block) if block.tag == "json" else place.run(block)
                seconds = time.monotonic() - start
                report.ran += 1
                if fault:
                    report.fail(page, block.line, block.tag, seconds, fault)
                else:
                    report.line(page, block.line, block.tag, seconds, "ok")
    finally:
        for name in place.end() if place else []:
            report.fail(page, page.blocks[-1].line, "", None, f"what it left running did not end within {SECONDS_TO_END} s: {name}")


def main():
    if os.getppid() != 1:
        sys.exit("docs: run scripts/docs-test, which makes a place for this")
    names = sys.argv[1:] or [
        "README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")), "examples/README.md"]
    paths = [ROOT / name for name in names]
    for path in paths:
        if not path.is_file():
            sys.exit(f"docs: there is no page {path}")
    folder, report, anchors_of = Path(os.environ["TMPDIR"]), Report(), anchors_by_path()
    commands = Commands()
    start = time.monotonic()
    for path in paths:
        test(Page(path.resolve()), report, anchors_of, commands, folder)
    result = f"{report.failed} FAILED" if report.failed else "all passed"
    print(f"docs: {report.ran} blocks ran, {report.excluded} not run, {result}, in {time.monotonic() - start:.0f} s")
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main()
