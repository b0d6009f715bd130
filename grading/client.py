"""A client that does not wait longer than it has to."""

import time
from queue import Empty

from jupyter_client.asynchronous import AsyncKernelClient


class PromptClient(AsyncKernelClient):
    """Is ready as soon as the kernel answers.

    jupyter_client's own client then waits 0.2 s more, until the kernel is silent: longer than it
    takes to start a forked kernel. What comes late belongs to no cell, and nbclient ignores it.
    """

    def start_channels(self, **channels: bool) -> None:
        """Open the channels but for the heartbeat's.

        Whether the kernel lives its manager knows. And what a submission sends there in place of a
        heartbeat would end the thread that waits for it, with a traceback on the terminal.
        """
        super().start_channels(**{**channels, "hb": False})

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers, and both of its channels are open.

        Args:
            timeout: seconds; None waits as long as the kernel lives.

        Raises:
            RuntimeError: if the kernel ends, or is not ready in time.
        """
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            self.kernel_info()
            try:
                reply = await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("the kernel ended before it was ready") from None
                if time.monotonic() > end:
                    raise RuntimeError(f"the kernel was not ready after {timeout:g} s") from None
            else:
                self._handle_kernel_info_reply(reply)
                return
