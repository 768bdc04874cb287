"""Checks the package's division; reads `swift package dump-package` from stdin.

A target depends only on targets of lower levels, so arrows point down and siblings never see each
other, and its sources import only what the manifest declares for it.
"""

import json
import pathlib
import re
import sys

# The levels of ARCHITECTURE.md. C modules and system libraries lie below all of them.
LEVELS = {
    "CArrowABI": -1, "CConsole": -1, "CCrypt": -1, "CCrypto": -1, "CDeflate": -1, "CEdit": -1, "CLZ4": -1, "CLoader": -1, "CMariaDB": -1, "CZlib": -1, "CZstd": -1,
    "Compression": 0, "Latches": 0, "PrometheusMetrics": 0, "ProtobufCoding": 0, "Threads": 0, "UnixSocket": 0, "WireFormat": 0,
    "Arrow": 1, "Binlog": 1, "EtcdClient": 1, "LatchProtocol": 1, "MySQLSchema": 1, "TLSCertificates": 1,
    "LatchClient": 2, "MagicCore": 2, "RowEncoding": 2,
    "ClickHouseEngine": 3, "GatheringTransport": 3, "MagicAPI": 3, "MySQLSource": 3,
    "Replication": 3,
    "Backup": 4, "FlightServer": 4, "HTTPServer": 4, "LatchService": 4, "LocalDatabase": 4, "MagicClient": 4,
    "MagicADBC": 5, "adbc_driver_magic": 6, "magic": 5, "magic-bench": 5,
    "TestSupport": 0,
}  # fmt: skip

TOOLCHAIN = {
    "Swift", "Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization", "Testing",
}  # fmt: skip

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|typealias|func|var|let)\s+)?(\w+)",
    re.MULTILINE,
)


def declared(target):
    """The modules that the manifest lets a target import."""
    names = set()
    for dependency in target["dependencies"]:
        kind, value = next(iter(dependency.items()))
        names.add(value[0])
    return names


def folder(target):
    parent = "Tests" if target["type"] == "test" else "Sources"
    return pathlib.Path(target.get("path") or f"{parent}/{target['name']}")


def problems(package):
    local = {target["name"] for target in package["targets"]}
    for target in package["targets"]:
        name, allowed = target["name"], declared(target)
        if target["type"] != "test":
            if name not in LEVELS:
                yield f"{name}: has no level in scripts/check-imports.py"
                continue
            for other in sorted(allowed & local):
                if LEVELS.get(other, 99) >= LEVELS[name]:
                    yield f"{name}: depends on {other}, which is not below it"
        for source in sorted(folder(target).rglob("*.swift")):
            for module in sorted(set(IMPORT.findall(source.read_text()))):
                if module not in allowed | TOOLCHAIN:
                    yield f"{source}: imports {module}, which Package.swift does not declare"


found = list(problems(json.load(sys.stdin)))
for problem in found:
    print(problem, file=sys.stderr)
sys.exit(1 if found else 0)
