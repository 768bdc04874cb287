"""Runs the system tests and closes with the line `N passed, N failed`.

--soak runs the long form: 20 kills and longer load. The seed of everything random is printed;
--seed repeats it. Names select the tests whose full name contains one of them."""

import argparse
import os
import random
import signal
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Result(unittest.TestResult):
    """Prints one line per test as it ends."""

    passed = 0

    def startTest(self, test):
        super().startTest(test)
        self.start = time.monotonic()
        self.verdict = "ok"

    def stopTest(self, test):
        super().stopTest(test)
        seconds = time.monotonic() - self.start
        print(f"  {self.verdict:<8}{seconds:6.1f} s  {test.id()}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.verdict = "skipped"
        print(f"  skipped, because {reason}: {test.id()}", flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._show(self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        if not hasattr(self, "verdict"):
            print(f"  FAILED   {test}", flush=True)
        self._show(self.errors[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            print(f"  FAILED   {subtest}")
            kind = self.failures if issubclass(error[0], test.failureException) else self.errors
            self._show(kind[-1][1])

    def _show(self, text):
        self.verdict = "FAILED"
        print(text, flush=True)


def selected(suite, names):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from selected(test, names)
        elif not names or any(name in test.id() for name in names):
            yield test


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    os.environ["MAGIC_SOAK"] = "1" if arguments.soak else ""
    os.environ["MAGIC_SEED"] = str(arguments.seed)

    sys.path.insert(0, str(HERE))
    import harness
    if not harness.MAGIC.exists():
        sys.exit(f"{harness.MAGIC} does not exist: run `swift build --product magic` first")
    print(f"system tests of {harness.MAGIC}, seed {arguments.seed}", flush=True)

    # A stopped run cleans up like a failed one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("system tests: stopped"))
    suite = unittest.defaultTestLoader.discover(str(HERE), "test_*.py")
    result = Result()
    unittest.TestSuite(selected(suite, arguments.names)).run(result)
    # A test with several failing parts counts once.
    failed = len({getattr(test, "test_case", test).id()
                  for test, _ in result.failures + result.errors})
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"{result.passed} passed, {failed} failed{skipped}")
    sys.exit(1 if failed or result.passed == 0 else 0)


if __name__ == "__main__":
    main()
