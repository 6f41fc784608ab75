"""The format: files, groups, tests, and the numbers of tests."""

import json

SOURCE = {"name": "cwa-test-vectors", "version": "1"}

# Nothing is expected, which is another thing than the answer null.
NOTHING = object()

# Every flag, with the kind of mistake it finds. A file gets the notes that its tests use.
NOTES = {
    "Published": ("INTEROPERABILITY", "asserted by a test or a document of a published implementation"),
    "Derived": ("EDGE_CASE", "follows from a rule that was read in a published implementation"),
    "KnownMistake": ("WRONG_PRIMITIVE", "what an implementation with a known mistake computes"),
}


def note(flag, bug_type, description):
    assert flag not in NOTES, flag
    NOTES[flag] = (bug_type, description)


class Collection:
    """All files, with the place of each family: its file, and its block of a thousand numbers."""

    def __init__(self, files):
        self.files = files
        self.place = {}
        for file in files:
            for number, family in enumerate(file["families"], 1):
                self.place[family] = (file["name"], number * 1000)
        self.groups = {file["name"]: [] for file in files}
        self.used = {}

    def group(self, family, data=None, own=True):
        """A new group. Converted cases are numbered from 1 in their block, our own from 501, so that either can grow."""
        file, block = self.place[family]
        group = Group(self, family, block + (500 if own else 0), data or {})
        self.groups[file].append(group)
        return group

    def documents(self):
        for file in self.files:
            order = {family: number for number, family in enumerate(file["families"])}
            groups = sorted(self.groups[file["name"]], key=lambda group: order[group.family])
            flags = sorted({flag for group in groups for test in group.tests for flag in test.get("flags", [])})
            numbers = [test["tcId"] for group in groups for test in group.tests]
            assert len(numbers) == len(set(numbers)), file["name"]
            yield file["name"], {
                "schema": file["name"].replace(".json", "_v1.json"),
                "source": SOURCE,
                "spec": file["spec"],
                "notes": {flag: {"bugType": NOTES[flag][0], "description": NOTES[flag][1]} for flag in flags},
                "testGroups": [{"type": group.family, **group.data, "tests": group.tests} for group in groups],
            }


class Group:
    def __init__(self, collection, family, block, data):
        self.collection, self.family, self.data, self.tests = collection, family, data, []
        self.key = (family, block)
        self.block = block

    def number(self):
        count = self.collection.used.get(self.key, 0) + 1
        assert count < 500, f"{self.family} has more tests than numbers"
        self.collection.used[self.key] = count
        return self.block + count

    def test(self, comment, input, expected=NOTHING, result="valid", flags=(), error=None, **more):
        test = {"tcId": self.number(), "comment": comment}
        if flags:
            test["flags"] = list(flags)
        test["result"] = result
        if error is not None:
            assert result == "invalid", comment
            test["error"] = error
        test["input"] = input
        if expected is not NOTHING:
            test["expected"] = expected
        test.update({name: value for name, value in more.items() if value is not None})
        self.tests.append(test)
        return test


def dump(document):
    """One line a test, so that a change of a test is a change of a line."""

    def flat(value):
        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))

    head = {name: value for name, value in document.items() if name != "testGroups"}
    lines = ["{"]
    for name, value in head.items():
        if name == "notes" and value:
            lines.append(' "notes": {')
            lines += [f"  {flat(flag)}: {flat(text)}," for flag, text in value.items()]
            lines[-1] = lines[-1].rstrip(",")
            lines.append(" },")
        else:
            lines.append(f" {flat(name)}: {flat(value)},")
    lines.append(' "testGroups": [')
    for group in document["testGroups"]:
        lines.append("  {")
        lines += [f"   {flat(name)}: {flat(value)}," for name, value in group.items() if name != "tests"]
        lines.append('   "tests": [')
        lines += [f"    {flat(test)}," for test in group["tests"]]
        lines[-1] = lines[-1].rstrip(",")
        lines += ["   ]", "  },"]
    lines[-1] = "  }"
    lines += [" ]", "}"]
    return "\n".join(lines) + "\n"
