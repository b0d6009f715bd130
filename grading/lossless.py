"""A kernel whose output waits for its reader."""

import zmq
from ipykernel.kernelapp import IPKernelApp

WAITING = 250  # messages, at each of the three places between a cell and the reader


class LosslessKernelApp(IPKernelApp):
    """Lets a cell that shows more than its reader takes wait, in place of dropping output.

    zmq drops what a slow reader has not taken. The end of a cell may be among it, which then seems
    to run for ever, or the points that a test gives.
    """

    def init_iopub(self, context: zmq.Context) -> None:
        """Open the socket of the outputs, and the queue that leads to it."""
        context.setsockopt(zmq.XPUB_NODROP, 1)
        context.setsockopt(zmq.SNDHWM, WAITING)
        context.setsockopt(zmq.RCVHWM, WAITING)
        super().init_iopub(context)
