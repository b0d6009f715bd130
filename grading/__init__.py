"""The instructor's toolkit around nbgrader.

nbgrader keeps the books: gradebook, formgrader, metadata, feedback pages. This package adds what a
class of real submissions needs, as plug-ins that `nbgrader_config.py` names:

| module | what it adds |
| --- | --- |
| `release` | refuses a student version in which a solution or a hidden test is left |
| `collect` | finds student and notebook in what a learning platform exports |
| `layouts`, `exports`, `archives`, `finds`, `matching` | its parts: what is what, and whose |
| `student_ids`, `namesakes`, `submitted` | one id for each student; what was there is kept |
| `intake`, `notebooks` | reads it; what cannot be read gets a reason, not an exception |
| `transplant` | rebuilds what is graded from the instructor's copy and the student's answers |
| `room`, `groups`, `confine`, `seccomp` | isolation: a room, and a process that walks in |
| `kernels`, `warm`, `warm_process`, `client` | kernels that are ready at once, in a room |
| `guard`, `snapshot`, `inside`, `parts` | what a test relies on is put back before it runs |
| `certain`, `unit`, `versions` | its parts: Python's own names, a test as a whole, what changed |
| `execute`, `outputs`, `verdict` | warnings cost nothing, no run no points, all has a limit |
| `task`, `workers` | the work on one submission, and the processes or machines that do it |
| `grade`, `batch`, `ledger`, `results` | grades all, one bad submission never stopping the rest |
| `leftovers` | what a killed grader left in the temporary folder is gone with the next one |
| `feedback`, `formgrader` | shows each message, and neither hidden tests nor a student's scripts |
| `clean`, `mathematics` | their parts: harmless HTML, and formulas without a script |
| `report`, `csv_files`, `item_analysis`, `report_page` | tables, exports, and how the tests did |
| `answers`, `hand_in`, `sample` | submissions in text form: sample class, proof of the graders |
| `audit`, `leaks` | the proof: each answer gets its points and words, and no secret shows |
| `course`, `gradebook`, `doctor` | the course folder, the gradebook, and this machine |
| `settings`, `config_file` | what is wrong in `nbgrader_config.py`, before anything is graded |
| `environment`, `out_of_date` | what a grade depends on, and which ones no longer hold |
| `cures` | what to do where nothing can be written |

`python -m grading --help` is the way in.
"""

import sys

# jsonschema builds a grammar of web addresses from it when it is imported, for more than a second;
# no notebook is checked for any
sys.modules.setdefault("rfc3987_syntax", None)
