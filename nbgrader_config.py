"""The course, as nbgrader sees it.

Run nbgrader's commands, and JupyterLab with its formgrader, from this folder:

    nbgrader generate_assignment digits_0_to_4     solutions/  -> release/
    nbgrader autograde digits_0_to_4               submitted/  -> autograded/, gradebook.db
    nbgrader generate_feedback digits_0_to_4       autograded/ -> feedback/
    nbgrader export                                gradebook.db -> grades.csv

`python -m grading --help` does the same for a whole class at once, and says why points are lost.
"""

import os
import secrets
import sys
from pathlib import Path

from grading.formgrader import TEMPLATES
from grading.warm_process import name_kernelspec

c = get_config()  # noqa: F821 (traitlets hands it to this file)
root = Path(__file__).resolve().parent

# The gradebook is made by starting `alembic` by name. If that fails, a half-made one stays behind.
bin_folder = str(Path(sys.executable).parent)
if bin_folder not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])

# Each submission runs in its own folder, where a relative path would point elsewhere.
if os.environ.get("DEEPLEARN_DATA", "digits") not in ("", "digits"):
    os.environ["DEEPLEARN_DATA"] = str(Path(os.environ["DEEPLEARN_DATA"]).expanduser().resolve())

c.CourseDirectory.course_id = "training_deep_networks"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "release"

# nbgrader's pages in JupyterLab show errors unless this folder exists. Files do not travel
# through it: hand out release/ and collect into submitted/ as you like.
c.Exchange.root = str(root / "_build" / "exchange")
Path(c.Exchange.root).mkdir(parents=True, exist_ok=True)

# A rubric between BEGIN MARK SCHEME and END MARK SCHEME may stand in any cell: students see it in
# their feedback, not before.
c.ClearMarkScheme.enforce_metadata = False
c.GenerateAssignment.preprocessors.append("grading.release.RefuseLeftovers")

c.Autograde.exporter_class = "grading.intake.SubmissionExporter"
c.Autograde.sanitize_preprocessors = [
    "grading.transplant.Transplant",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grading.execute.ExecuteSubmission",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# An assignment takes up to 60 s of CPU in all. A cell gets twice that, for slower machines.
c.ExecuteSubmission.timeout = 120
c.ExecuteSubmission.time_limit = 900  # seconds for a whole notebook
c.ExecuteSubmission.output_limit = 10  # MB of a whole notebook
c.ExecuteSubmission.memory_limit = 200  # MB of the grader's memory that output may fill
c.ExecuteSubmission.shutdown_kernel = "immediate"
# Each kernel is a copy of a process that has imported torch, in a room of its own: no network, no
# other process, nothing of the course. `python -m grading doctor` tells what this machine can do.
c.ExecuteSubmission.kernel_name = "sandbox"
c.AsyncKernelManager.client_class = "grading.client.PromptClient"
name_kernelspec()
c.SandboxProvisioner.isolate = True
c.SandboxProvisioner.memory = 2048  # MiB for a submission, all its processes together
c.SandboxProvisioner.processes = 128  # and threads
c.SandboxProvisioner.cpu_time = 600  # seconds of the processor, for each process by itself
c.SandboxProvisioner.disk = 512  # MiB, gone with the room
c.SandboxProvisioner.file_size = 256  # MiB of the longest file
c.Intake.notebook_size = 20  # MB of the largest notebook that is read
c.Intake.folder_size = 100  # MB of what was handed in beside it
# A tag that nobody can guess: otherwise the tag `skip-execution` on a test cell gives full marks.
c.ExecuteSubmission.skip_cells_with_tag = secrets.token_hex(16)
# Kernels talk over local sockets that other users of the machine could otherwise read.
c.KernelManager.transport_encryption = "auto"

c.GenerateFeedback.exporter_class = "grading.feedback.FeedbackExporter"
c.GenerateFeedback.preprocessors = [
    "grading.feedback.HideTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.FeedbackPages.time_limit = 30  # seconds for a page; then it is left to points and messages
c.FeedbackPages.memory = 2048  # MiB

# Formgrader: mathematics without a network, and no script of a student in your browser.
c.HTMLExporter.extra_template_basedirs = TEMPLATES
c.HTMLExporter.filters = {
    "ansi2html": "grading.caps.colored",
    "clean_html": "grading.feedback.clean_html",
    "highlight_code": "grading.caps.HighlightCode",
    "markdown2html": "grading.formgrader.clean_markdown",
    "mathjax_source": "grading.formgrader.mathjax_source",
}
c.HTMLExporter.sanitize_html = True
