"""A kernel whose output waits for its reader."""

import zmq
from ipykernel.kernelapp import IPKernelApp
from traitlets import Bool

WAITING = 250  # messages, at each of the three places between a cell and the reader


class LosslessKernelApp(IPKernelApp):
    """Lets a cell that shows more than the grader takes wait, in place of dropping output.

    zmq drops what a slow reader has not taken. The end of a cell may be among it, which then seems
    to run for ever. Where a client may be deaf, as beside JupyterLab, dropping is right.
    """

    lossless = Bool(False, help="Whether the one client reads all output.").tag(config=True)

    def init_iopub(self, context: zmq.Context) -> None:
        """Open the socket of the outputs, and the queue that leads to it."""
        if self.lossless:
            context.setsockopt(zmq.XPUB_NODROP, 1)
            context.setsockopt(zmq.SNDHWM, WAITING)
            context.setsockopt(zmq.RCVHWM, WAITING)
        super().init_iopub(context)
