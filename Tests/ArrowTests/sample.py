"""The rows of Sample.swift in pyarrow: `write FILE` (or write-lz4, write-zstd) writes them as an IPC
stream, `check FILE` asserts that a stream holds exactly them, whole and sliced."""

import sys
from decimal import Decimal

import pyarrow as pa


def sample():
    fields, columns = [], []

    def add(name, kind, values, metadata=None):
        fields.append(pa.field(name, kind, metadata=metadata))
        columns.append(values if isinstance(values, pa.Array) else pa.array(values, kind))

    def edges(low, high):
        return [low, None, 0, 1, high]

    add("bool", pa.bool_(), [True, None, False, True, True])
    for bits in (8, 16, 32, 64):
        kind = getattr(pa, f"int{bits}")()
        add(f"int{bits}", kind, edges(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for bits in (8, 16, 32, 64):
        add(f"uint{bits}", getattr(pa, f"uint{bits}")(), [0, None, 1, 2, 2**bits - 1])
    add("float32", pa.float32(), [-1.5, None, 0, 0.25, 1e30])
    add("float64", pa.float64(), [-1.5, None, 0, 0.1, 1e300])

    def decimals(scale):
        digits = [-12345, None, 0, 1, -5 * 2**64]
        return [None if d is None else Decimal((int(d < 0), tuple(map(int, str(abs(d)))), -scale))
                for d in digits]

    add("decimal", pa.decimal128(20, 3), decimals(3))
    add("wide_decimal", pa.decimal256(65, 30), decimals(30))

    def cast(kind, values, storage=pa.int64()):
        return pa.array(values, storage).view(kind)

    add("date", pa.date32(), cast(pa.date32(), edges(-719162, 2932896), pa.int32()))
    add("time32", pa.time32("s"), cast(pa.time32("s"), [0, None, 1, 2, 86399], pa.int32()))
    add("time", pa.time64("us"), cast(pa.time64("us"), [0, None, 1, 2, 86399999999]))
    instants = [-1, None, 0, 1, 2]
    for name, kind in [
        ("timestamp", pa.timestamp("us", "UTC")),
        ("wall_clock", pa.timestamp("ms")),
        ("duration", pa.duration("ns")),
    ]:
        add(name, kind, cast(kind, instants))
    add("text", pa.utf8(), ["", None, "a", "größer", "🪄"])
    add("bytes", pa.binary(), [b"", None, b"\0", b"\xff\xfe", b"\1\2\3"])
    add("large_text", pa.large_utf8(), ["", None, "b", "cc", "ddd"])
    add("large_bytes", pa.large_binary(), [b"", None, b"\0", b"\xff", b"\1\2\3"])
    fixed = [None if row == 1 else bytes([row]) * 16 for row in range(5)]
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array(fixed, pa.binary(16)))
    add("uuid", pa.uuid(), uuids)
    add("address", pa.binary(16), fixed, {"ARROW:extension:name": "magic.ipv6"})
    add("list", pa.list_(pa.int32()), [[1], None, [], [2, None], [3, 4, 5]])
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2], pa.int16()), ["x", "y", "z"])
    sets = pa.ListArray.from_arrays(pa.array([0, None, 1, 1, 3, 4], pa.int32()), words)
    add("set", sets.type, sets)
    add("nested", pa.list_(pa.list_(pa.int64())),
        [[[1], None], None, [], [[]], [[2, 3], [4]]])
    add("large_list", pa.large_list(pa.utf8()), [["a"], None, [], ["b", "c"], ["d"]])
    add("pair", pa.list_(pa.float32(), 2), [[0, 1], None, [4, 5], [6, 7], [8, 9]])
    add("struct", pa.struct([("number", pa.int32()), ("text", pa.utf8())]),
        [{"number": 1, "text": "a"}, None, {"number": 3, "text": None},
         {"number": None, "text": "d"}, {"number": 5, "text": "e"}])
    add("map", pa.map_(pa.utf8(), pa.int32()),
        [[("a", 1)], None, [], [("b", 2), ("c", None)], [("d", 4)]])
    enum = pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0, 1, 0], pa.int16()), ["small", "large"])
    add("enum", enum.type, enum)
    union = pa.UnionArray.from_dense(
        pa.array([0, 1, 1, 1, 0], pa.int8()), pa.array([0, 0, 1, 2, 1], pa.int32()),
        [pa.array([7, 8]), pa.array([None, "a", "b"], pa.utf8())], ["number", "text"])
    add("union", union.type, union)
    add("nothing", pa.null(), [None] * 5)
    schema = pa.schema(fields, metadata={"origin": "sample"})
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def pieces(batch):
    return [batch, batch.slice(1, 3), batch.slice(5, 0), batch.slice(3, 2)]


def write_deltas(path):
    """Dictionaries that grow from batch to batch."""
    words = ["a", None, "ccc"]
    numbers = [1, 2, 3]
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    schema = pa.schema(
        [
            ("word", pa.dictionary(pa.int32(), pa.utf8())),
            ("number", pa.dictionary(pa.int32(), pa.int64())),
        ]
    )
    with pa.ipc.new_stream(path, schema, options=options) as writer:
        for count in (1, 2, 3):
            last = pa.array([count - 1], pa.int32())
            columns = [
                pa.DictionaryArray.from_arrays(last, pa.array(words[:count], pa.utf8())),
                pa.DictionaryArray.from_arrays(last, pa.array(numbers[:count])),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        stats = writer.stats
    assert stats.num_dictionary_deltas == 4, stats


def write_views(path):
    """Texts and bytes as views, short and long, whole and in slices."""
    words = ["a", None, "twelve bytes", "thirteen byte", "", "x" * 5000]
    schema = pa.schema([("s", pa.string_view()), ("b", pa.binary_view()), ("n", pa.int8())])
    with pa.ipc.new_stream(path, schema) as writer:
        for part in (slice(0, 6), slice(2, 5), slice(0, 0)):
            columns = [
                pa.array(words, pa.string_view())[part],
                pa.array([w and w.encode() for w in words], pa.binary_view())[part],
                pa.array(range(6), pa.int8())[part],
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def main(command, path):
    batch = sample()
    if command.startswith("write"):
        compression = command.partition("-")[2] or None
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(path, batch.schema, options=options) as writer:
            for piece in pieces(batch):
                writer.write_batch(piece)
        return
    if command == "views":
        write_views(path)
        return
    if command == "deltas":
        write_deltas(path)
        return
    with pa.ipc.open_stream(path) as reader:
        assert reader.schema.equals(batch.schema, check_metadata=True), reader.schema
        read = list(reader)
    assert len(read) == 4, len(read)
    for got, expected in zip(read, pieces(batch)):
        got.validate(full=True)
        for index, field in enumerate(batch.schema):
            left, right = got.column(index), expected.column(index)
            assert left.equals(right), (field, left, right)
        assert got.num_rows == expected.num_rows
        assert got.equals(expected)


main(*sys.argv[1:])
