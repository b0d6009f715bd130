"""What a cell shows, made of messages that may be forged.

A submission can send any message through the sockets of its own kernel: fields of other types, a
gigabyte in one line, a million outputs. Nothing of a message is taken over as it is. Outputs are
built anew from the few fields that are known, and each is counted.
"""

import uuid

import zmq
from jupyter_client import AsyncKernelManager
from jupyter_client.session import Session
from nbformat import NotebookNode
from nbformat.v4 import new_output

KINDS = (
    *("text/plain", "text/html", "text/markdown", "text/latex"),
    *("image/png", "image/jpeg", "image/gif", "image/svg+xml"),
)
LEAST = 2_000  # bytes that the smallest message counts
LONGEST_HEADER = 10**6
WAITING_MESSAGES = 2
LETTERS = {"ename": 100, "evalue": 5_000, "traceback": 50_000}
ERRORS = 10  # of one cell


class CautiousSession(Session):
    """A session that nothing a kernel sends can stop, and whose messages cannot be foreseen.

    What cannot be read becomes an answer to nothing, which is passed over. A content that is longer
    than the limit stays packed, as bytes: to unpack it takes several times as much memory.
    """

    limit = 10**7

    @property
    def msg_id(self) -> str:
        """A new name for a message; who knows it beforehand could answer before the kernel does."""
        return uuid.uuid4().hex

    def feed_identities(self, msg_list, copy=True):
        """Split a message from its address."""
        try:
            return super().feed_identities(msg_list, copy)
        except ValueError:
            return [], []

    def deserialize(self, msg_list, content=True, copy=True):
        """Read a message; one that is wrong in any way is an answer to nothing."""
        try:
            if any(len(part) > LONGEST_HEADER for part in msg_list[:4]):
                raise ValueError("the header of the message is too long")
            msg = super().deserialize(msg_list, len(msg_list[4]) <= self.limit, copy)
            if not all(isinstance(msg[part], dict) for part in ("header", "parent_header")):
                raise ValueError("the message has no header")
        except Exception:
            # whatever it is, a student may have sent it
            msg = {"header": {}, "parent_header": {}, "metadata": {}, "content": {}}
            msg |= {"msg_id": "", "msg_type": "", "buffers": []}
        return msg


class CautiousManager(AsyncKernelManager):
    """A kernel manager whose clients hold little of what a kernel sends."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.session = CautiousSession(parent=self)
        # the rest waits at the kernel, whose memory is limited
        self.context.setsockopt(zmq.RCVHWM, WAITING_MESSAGES)


def size(msg: dict) -> int:
    """How many bytes a message counts, its attachments included."""
    content = msg["content"]
    letters = len(content) if isinstance(content, bytes) else len(repr(content))
    return LEAST + letters + sum(len(part) for part in msg.get("buffers", ()))


def build_output(kind: str, content: object) -> NotebookNode | None:
    """The output that a message asks for; None if nothing of it can be shown.

    An error is one whatever its fields are: a test that failed may not be lost.
    """
    if not isinstance(content, dict):
        content = {}
    if kind == "error":
        return build_error(content)
    if kind == "stream":
        name, text = content.get("name"), content.get("text")
        known = name in ("stdout", "stderr") and isinstance(text, str)
        return new_output("stream", name=name, text=_clean(text)) if known else None
    shown, metadata = _bundle(content)
    if kind == "update_display_data" or not shown:
        kind = "display_data"
    return new_output(kind, data=shown, metadata=metadata) if shown else None


def build_error(content: dict) -> NotebookNode:
    """An error of fields that are text, and not too long."""
    lines = content.get("traceback")
    lines = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    return new_output(
        "error",
        ename=_cut(content.get("ename"), "ename") or "Error",
        evalue=_cut(content.get("evalue"), "evalue"),
        traceback=_cut("\n".join(lines), "traceback").split("\n"),
    )


def plain_error(ename: str, evalue: str) -> NotebookNode:
    """An error of the grader's own."""
    return build_error({"ename": ename, "evalue": evalue, "traceback": [f"{ename}: {evalue}"]})


def _bundle(content: dict) -> tuple[dict, dict]:
    """What a display holds of known kinds, and how large its pictures are to be."""
    data, metadata = content.get("data"), content.get("metadata")
    if not isinstance(data, dict):
        return {}, {}
    shown = {kind: _clean(data[kind]) for kind in KINDS if isinstance(data.get(kind), str)}
    sizes = {}
    for kind in shown:
        found = metadata.get(kind) if isinstance(metadata, dict) else None
        if isinstance(found, dict):
            known = {name: found[name] for name in ("width", "height") if name in found}
            sizes[kind] = {k: v for k, v in known.items() if type(v) in (int, float)}
    return shown, sizes


def _clean(text: str) -> str:
    """Text that can be written to a file: half a surrogate pair cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _cut(text: object, field: str) -> str:
    text = _clean(text) if isinstance(text, str) else ""
    letters = LETTERS[field]
    if len(text) <= letters:
        return text
    return f"{text[: letters // 2]}\n… cut …\n{text[-letters // 2 :]}"


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Make one output of printed text in a row, and of each line only what stayed visible.

    nbclient's own way takes a regular expression for hours over one long line.
    """
    joined: list[NotebookNode] = []
    pieces: list[list[str]] = []
    for output in outputs:
        is_stream = output.output_type == "stream"
        last = joined[-1] if joined else None
        if is_stream and last and last.get("name") == output.name:
            pieces[-1].append(output.text)
        else:
            joined.append(output)
            pieces.append([output.text] if is_stream else [])
    for output, parts in zip(joined, pieces, strict=True):
        if parts:
            lines = "".join(parts).replace("\r\n", "\n").split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return joined
