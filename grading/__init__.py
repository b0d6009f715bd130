"""The instructor's toolkit around nbgrader.

nbgrader keeps the books: gradebook, formgrader, metadata, feedback pages. This package adds what a
class of real submissions needs, as plug-ins that `nbgrader_config.py` names:

| module | what it adds |
| --- | --- |
| `release` | refuses a student version in which a solution or a hidden test is left |
| `intake` | reads what was handed in; what cannot be read gets a reason, not an exception |
| `transplant` | rebuilds what is graded from the instructor's copy and the student's answers |
| `execute` | warnings cost nothing, cells that did not run earn nothing, a crash is one cell's |
| `kernels`, `warm` | start kernels at once, as copies of a process that holds torch already |
| `feedback` | shows each message, and neither hidden tests nor a student's scripts |
| `grade`, `report` | grades all, one bad submission never stopping the rest, and says why |
| `answers`, `hand_in`, `sample` | submissions in text form: sample class, proof of the graders |
| `audit`, `leaks` | the proof: each answer gets its points and words, and no secret shows |
| `course`, `gradebook` | the course folder, with nbgrader as `nbgrader_config.py` sets it up |

`python -m grading --help` is the way in.
"""
