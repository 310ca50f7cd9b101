"""A Redis client that sends commands issued at the same time in one round trip."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from typing_extensions import override

_Command = tuple[tuple[Any, ...], dict[str, Any], "asyncio.Future[Any]"]


class BatchingRedis(Redis):
    """Sends the commands of two passes of the event loop together: `asyncio.gather` is one round trip.

    Requests that arrive at once share round trips as well. Commands run in the order in which they were issued,
    but are no transaction.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[_Command] | None = None
        """The commands to be sent together; None until the first."""
        self._sending: set[asyncio.Task[None]] = set()

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command; return its answer. Raises its error, or that of the connection."""
        loop = asyncio.get_running_loop()
        if self._waiting is None:
            self._waiting = []
            loop.call_soon(loop.call_soon, self._start)  # after one more pass: a gather may be inside of another
        done = loop.create_future()
        self._waiting.append((args, options, done))
        return await done

    @override
    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Send what was issued, then close: a command that is sent later would open a connection again."""
        while self._waiting is not None or self._sending:
            await (asyncio.wait(self._sending) if self._sending else asyncio.sleep(0))
        await super().aclose(close_connection_pool)

    def _start(self) -> None:
        """Send the commands in a task of its own: any of the callers may be cancelled."""
        batch, self._waiting = self._waiting or [], None
        sending = asyncio.create_task(self._send(batch))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[_Command]) -> None:
        """Execute the commands, and pass each its answer or error."""
        try:
            answers = await self._answers(batch)
        except asyncio.CancelledError:
            for _, _, done in batch:
                done.cancel()
            raise
        except Exception as e:  # noqa: BLE001 - each caller raises it
            answers = [e] * len(batch)
        for (_, _, done), answer in zip(batch, answers, strict=True):
            if done.done():
                continue  # its caller was cancelled
            if isinstance(answer, Exception):
                done.set_exception(answer)
            else:
                done.set_result(answer)

    async def _answers(self, batch: list[_Command]) -> list[Any]:
        if len(batch) == 1:  # a pipeline would cost more
            [(args, options, _)] = batch
            return [await super().execute_command(*args, **options)]  # type: ignore[no-untyped-call]
        async with self.pipeline(transaction=False) as pipeline:
            for args, options, _ in batch:
                pipeline.execute_command(*args, **options)
            return list(await pipeline.execute(raise_on_error=False))
