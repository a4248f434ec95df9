#!/usr/bin/env python3
"""Runs the interop tests: our binary against peers that share no code with it.
Prints what each test checks, and ends with one line of totals.
"""
import argparse
import os
import signal
import sys
import time
import unittest


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/bin/isthmus")
    parser.add_argument("names", nargs="*",
                        help="files to run, such as serf; none: all")
    parser.add_argument("-k", action="append", metavar="PART",
                        help="only tests whose name has this")
    options = parser.parse_args()
    os.environ["ISTHMUS"] = os.path.abspath(options.binary)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    folder = os.path.dirname(os.path.abspath(__file__))
    names = options.names or sorted(
        name[5:-3] for name in os.listdir(folder)
        if name.startswith("test_") and name.endswith(".py"))
    sys.path.insert(0, folder)
    loader = unittest.defaultTestLoader
    loader.testNamePatterns = options.k and [f"*{part}*" for part in options.k]
    suite = loader.loadTestsFromNames([f"test_{name}" for name in names])
    report = Report()
    suite.run(report)
    failed = len(report.failures) + len(report.errors)
    print(f"{report.passed} passed, {failed} failed"
          + (f", {len(report.skipped)} skipped" if report.skipped else ""))
    return 1 if failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
