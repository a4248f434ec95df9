#!/usr/bin/env python3
"""Runs the interop tests: our binary against peers that share no code with it.
Prints what each test checks, and ends with one line of totals.
"""
import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys
import time
import unittest

# Needs more than Debian's packages: only when asked for.
APART = ("go", "go_wan", "envoy")


class Report(unittest.TestResult):
    """One line a test, as it ends; why it failed at once below it."""

    passed = 0

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()

    def _line(self, word, test):
        took = time.monotonic() - self._began
        module = type(test).__module__.removeprefix("test_")
        what = " ".join((test._testMethodDoc or str(test)).split())
        print(f"  {word:4} {module}: {what} ({took:.2f} s)", flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self._line("FAIL", test)
            print(f"       {subtest._subDescription()}")
            self._why(subtest, self.failures + self.errors)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line("FAIL", test)
        self._why(test, self.failures)

    def addError(self, test, err):
        super().addError(test, err)
        if isinstance(test, unittest.TestCase):
            self._line("FAIL", test)
        else:            # a class that could not be set up, or cleaned away
            print(f"  FAIL {test}", flush=True)
        self._why(test, self.errors)

    @staticmethod
    def _why(test, where):
        text = next((why for who, why in reversed(where) if who == test), "")
        print("       " + text.strip().replace("\n", "\n       "), flush=True)


def run_file(folder, name, patterns):
    """Runs the tests of one file in this process; the exit code."""
    sys.path.insert(0, folder)
    loader = unittest.defaultTestLoader
    loader.testNamePatterns = [f"*{part}*" for part in patterns] or None
    suite = loader.loadTestsFromName(f"test_{name}")
    report = Report()
    suite.run(report)
    failed = len(report.failures) + len(report.errors)
    print(f"{report.passed} passed, {failed} failed")
    return 1 if failed else 0


def run_files(names, jobs, flags):
    """Runs each file in a process of its own, some at a time: they mostly
    wait, and each has its own addresses. The exit code."""
    def run(name):
        return subprocess.run([sys.executable, "-B", __file__, *flags, name],
                              stdout=subprocess.PIPE, text=True)

    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed(
                pool.submit(run, name) for name in names):
            lines = done.result().stdout.splitlines() or [""]
            words = lines.pop().split()
            if len(words) != 4:              # it did not come to its end
                lines, words = lines + [" ".join(words)], ["0", "", "1", ""]
            print("\n".join(lines), flush=True)
            passed, failed = passed + int(words[0]), failed + int(words[2])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/bin/isthmus")
    parser.add_argument("-j", type=int, default=3, metavar="JOBS",
                        help="files at a time")
    parser.add_argument("-k", action="append", default=[], metavar="PART",
                        help="only tests whose name has this")
    parser.add_argument("names", nargs="*",
                        help="files to run, such as serf; none: all")
    options = parser.parse_args()
    os.environ["ISTHMUS"] = os.path.abspath(options.binary)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    folder = os.path.dirname(os.path.abspath(__file__))
    names = options.names or sorted(
        name[5:-3] for name in os.listdir(folder)
        if name.startswith("test_") and name.endswith(".py")
        and name[5:-3] not in APART)
    if len(names) == 1:
        return run_file(folder, names[0], options.k)
    flags = ["--binary", options.binary]
    for part in options.k:
        flags += ["-k", part]
    return run_files(names, options.j, flags)


if __name__ == "__main__":
    sys.exit(main())
