"""Messages of Flight SQL, written by hand: also those that flightsql-dbapi does not know."""

import pyarrow.flight as flight


def number(value):
    """A varint."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def message(*fields):
    """A protobuf message of (field number, value) pairs; None is left out."""
    parts = []
    for place, value in fields:
        if value is None:
            continue
        if isinstance(value, int):
            parts += [number(place << 3), number(value)]
            continue
        if isinstance(value, str):
            value = value.encode()
        parts += [number(place << 3 | 2), number(len(value)), value]
    return b"".join(parts)


def parse(data):
    """(field number, value) pairs of a message."""
    fields, place = [], 0

    def varint():
        nonlocal place
        shift = result = 0
        while True:
            byte = data[place]
            place += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    while place < len(data):
        key = varint()
        if key & 7 == 0:
            fields.append((key >> 3, varint()))
        elif key & 7 == 2:
            length = varint()
            fields.append((key >> 3, data[place:place + length]))
            place += length
        else:
            length = 8 if key & 7 == 1 else 4
            fields.append((key >> 3, data[place:place + length]))
            place += length
    return fields


def any_message(name, body):
    return message((1, f"type.googleapis.com/arrow.flight.protocol.sql.{name}"), (2, body))


def command(name, *fields):
    """A descriptor of a Flight SQL command."""
    return flight.FlightDescriptor.for_command(any_message(name, message(*fields)))


def action(name, *fields):
    """An action of Flight SQL, whose body is in an Any."""
    return flight.Action(name, any_message(f"Action{name}Request", message(*fields)))


def unpacked(result):
    """The fields of an action's result, which is in an Any."""
    return dict(parse(dict(parse(result.body.to_pybytes()))[2]))
