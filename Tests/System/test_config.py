"""The configuration file of `magic serve`, by the commands that read it."""

import os
import re
import shutil
import subprocess
import unittest

from harness import MAGIC, spawn, temporary_folder, wait_until


def magic(*arguments):
    return subprocess.run([MAGIC, *arguments], capture_output=True, text=True, timeout=60)


class Tests(unittest.TestCase):
    def setUp(self):
        self.folder = temporary_folder("config")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "magic.yaml"

    def check(self, text):
        self.file.write_text(text)
        return magic("config", "check", str(self.file))

    def refused(self, text, *parts):
        done = self.check(text)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for part in parts:
            self.assertIn(part, done.stderr)
        served = magic("serve", "--config", str(self.file))
        self.assertNotEqual(served.returncode, 0)
        self.assertFalse((self.folder / "data").exists())

    def test_the_example_serves(self):
        example = magic("config", "example").stdout
        done = self.check(example.replace("/var/lib/magic", str(self.folder / "data")))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # The command line goes before the file, wherever it names it.
        log = self.folder / "log"
        process = spawn([MAGIC, "serve", "--http", "127.0.0.1:0", "--config", str(self.file), "--flight=none", "--latch=none"], log)
        try:
            port = wait_until(lambda: re.search(r"HTTP on [\d.]+:(\d+)", log.read_text()), 60, "the start")[1]
            self.assertNotEqual(port, "8123")
            self.assertNotIn("Flight SQL on", log.read_text())
            done = magic("sql", "--data", str(self.folder / "data"), "-e", "SELECT 1 + 1", "--format", "tsv")
            self.assertIn("2", done.stdout)
        finally:
            process.terminate()
            self.assertEqual(process.wait(60), 0)

    def test_what_is_wrong_is_told(self):
        data = f"data: {self.folder / 'data'}\n"
        self.refused(data + "\nhtpt: none\n", f"{self.file}:3", "'htpt'", "http")
        self.refused("http: none\n", "--data")
        self.refused(data + "http: nowhere\n", "http", "nowhere")
        self.refused(data + "users: /nonexistent/users.json\n", "/nonexistent/users.json")
        self.refused(data + "http: 0.0.0.0:8123\n", "can be reached from other machines")
        self.refused(data + "source: postgres://x\n", "the source URL is wrong")
        self.refused(data + "include: [a.*\n", "YAML")
        self.assertIn("cannot be read", magic("config", "check", str(self.folder / "none.yaml")).stderr)
        os.chmod(self.file, 0)
        if os.geteuid() != 0:
            self.assertIn("cannot be read", magic("serve", "--config", str(self.file)).stderr)
