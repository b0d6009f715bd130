"""One student, one id: Moodle numbers its participants anew in each assignment.

The number in ``Ada Lovelace_123_assignsubmission_file_`` is that of "Participant 123", and in the
next assignment Ada Lovelace has another one. So within an assignment the number tells who somebody
is, and beyond it the full name does, as long as no two people share it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from grading.finds import Candidate
from grading.submitted import alike, numbers

HIDDEN = "participant"  # instead of a name, where marking is anonymous


class Namesake(Exception):
    """A student whose name somebody else has, too; the message says what to do."""


class Namesakes:
    """Who is known on Moodle: from earlier collections, and from this one.

    Args:
        records: what was written down of earlier collections, by student.
        candidates: what is to be collected now.
    """

    def __init__(self, records: dict[str, dict], candidates: Iterable[Candidate]):
        self.records = records
        self.by_number: dict[tuple[str, str, str], str] = {}
        self.by_name: dict[str, list[str]] = defaultdict(list)
        self.numbers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for student, record in records.items():
            if record.get("platform") == "moodle":
                name = alike(str(record.get("name")))
                self.by_name[name].append(student)
                for assignment, number in numbers(record).items():
                    self.by_number[name, assignment, number] = student
                    self.numbers[name][assignment].add(number)
        self.first: dict[str, str] = {}
        for candidate in candidates:
            who = candidate.origin
            if who.platform == "moodle":
                name = alike(who.name)
                self.first.setdefault(name, who.student)
                self.numbers[name][candidate.target[0]].add(who.number)

    def settle(self, candidate: Candidate) -> Candidate:
        """The candidate with the id that its student has in all assignments.

        Raises:
            Namesake: if that cannot be told.
        """
        who, assignment = candidate.origin, candidate.target[0]
        if who.platform != "moodle":
            return candidate
        student = self.by_number.get((alike(who.name), assignment, who.number))
        if student is None and who.name in self.records:
            student = who.name  # as `_by_name` asks for
        if student is None:
            student = who.student if alike(who.name) == HIDDEN else self._by_name(candidate)
        name = self.records.get(student, {}).get("name", who.name)
        return replace(candidate, origin=replace(who, student=student, name=name, unlike=student))

    def _by_name(self, candidate: Candidate) -> str:
        who, assignment = candidate.origin, candidate.target[0]
        name = alike(who.name)
        known, seen = self.by_name[name], self.numbers[name]
        if len(known) < 2 and all(len(found) == 1 for found in seen.values()):
            return known[0] if known else self.first[name]
        if set(seen) == {assignment}:
            return who.student
        raise Namesake(
            f"several students are named {who.name}, and Moodle numbers them anew in each "
            f"assignment: write the student's id ({', '.join(known) or 'of your choice'}) instead "
            "of the name in the name of the folder or file, and leave the rest of it"
        )
