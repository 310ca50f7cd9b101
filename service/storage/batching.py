"""A Redis client that sends commands issued at the same time in one round trip."""

import asyncio
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
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
    def execute_command(  # type: ignore[override]  # a future is awaited like a coroutine, and needs no task
        self, *args: Any, **options: Any
    ) -> "asyncio.Future[Any]":
        """Issue a command at once; the future of its answer raises its error, or that of the connection."""
        loop = asyncio.get_running_loop()
        if self._waiting is None:
            self._waiting = []
            loop.call_soon(loop.call_soon, self._start)  # after one more pass: a gather may be inside of another
        done = loop.create_future()
        self._waiting.append((args, options, done))
        return done

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
        """Execute the commands on a connection of the pool; those that Redis refuses are answered by the error."""
        pool: Any = self.connection_pool  # its methods are not typed
        connection = await pool.get_connection()
        try:
            answers: list[Any] = await connection.retry.call_with_retry(
                lambda: self._exchange(connection, batch),
                lambda error, failures: connection.disconnect(error=error, failure_count=failures),
                with_failure_count=True,
            )
        except BaseException:
            await connection.disconnect(nowait=True)  # or the next batch would read what this one did not
            raise
        finally:
            await pool.release(connection)
        return answers

    async def _exchange(self, connection: Any, batch: list[_Command]) -> list[Any]:
        # One timer for all: redis-py's pipeline takes a task to write and a timer for each answer.
        seconds, connection.socket_timeout = connection.socket_timeout, None
        try:
            async with asyncio.timeout(seconds):
                # In 1 us for a command, where the connection's own `pack_commands` takes 4.
                packed = [pack_command((*name.split(), *args)) for (name, *args), _, _ in batch]
                await connection.send_packed_command(packed)
                return [await self._read(connection, args[0], options) for args, options, _ in batch]
        except TimeoutError:
            raise RedisTimeoutError("Timeout reading from the server") from None
        finally:
            connection.socket_timeout = seconds

    async def _read(self, connection: Any, name: str, options: dict[str, Any]) -> Any:
        try:
            return await self.parse_response(connection, name, **options)
        except ResponseError as e:
            return e
