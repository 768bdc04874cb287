"""Writes the manual pages of magic and of its commands from what `magic --experimental-dump-help` prints.

    magic --experimental-dump-help | python man-pages.py FOLDER VERSION
"""

import json
import sys
from pathlib import Path


def escaped(text):
    """A text that roff prints as it is."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in lines)


def spelled(argument):
    """An argument as it is typed."""
    if argument["kind"] == "positional":
        return f"\\fI{escaped(argument.get('valueName', 'value'))}\\fR"
    names = [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument["names"]]
    value = f" \\fI{escaped(argument.get('valueName', 'value'))}\\fR" if argument["kind"] == "option" else ""
    return ", ".join(f"\\fB{escaped(name)}\\fR" for name in sorted(names, key=len)) + value


def page(command, path, version):
    """The page of a command, and those of the commands below it, by their names."""
    name = "-".join(path)
    title = " ".join(path)
    lines = [f'.TH "{name.upper()}" 1 "" "magic {version}" "Magic"', ".SH NAME",
             f"{escaped(name)} \\- {escaped(command.get('abstract', '').rstrip('.'))}", ".SH SYNOPSIS"]
    arguments = [each for each in command.get("arguments", []) if each["shouldDisplay"]]
    commands = [each for each in command.get("subcommands", []) if each["commandName"] != "help" and each.get("shouldDisplay", True)]
    needed = " ".join(spelled(each) for each in arguments if not each["isOptional"])
    command_word = "\\fICOMMAND\\fR " if commands else ""
    lines.append(f"\\fB{escaped(title)}\\fR {command_word}[\\fIoptions\\fR] {needed}".rstrip())
    if command.get("discussion"):
        lines += [".SH DESCRIPTION", escaped(command["discussion"])]
    if commands:
        lines.append(".SH COMMANDS")
        for each in commands:
            lines += [".TP", f"\\fB{escaped(each['commandName'])}\\fR", escaped(each.get("abstract", "")) + f" See \\fB{escaped(name + '-' + each['commandName'])}\\fR(1)."]
    section = None
    for each in arguments:
        title = (each.get("sectionTitle") or "Options").upper()
        if title != section:
            section = title
            lines.append(f'.SH "{escaped(title)}"')
        text = escaped(each.get("abstract", ""))
        if each.get("defaultValue"):
            text += f" (default: {escaped(each['defaultValue'])})"
        lines += [".TP", spelled(each), text or "\\&"]
    lines += [".SH SEE ALSO", "The documentation in /usr/share/doc/magic/docs."]
    pages = {name: "\n".join(lines) + "\n"}
    for each in commands:
        pages |= page(each, [*path, each["commandName"]], version)
    return pages


def main():
    folder, version = Path(sys.argv[1]), sys.argv[2]
    command = json.load(sys.stdin)["command"]
    for name, text in page(command, ["magic"], version).items():
        (folder / f"{name}.1").write_text(text)


if __name__ == "__main__":
    main()
