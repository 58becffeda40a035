"""A loopback HTTP server that takes its time: each answer is 50 ms late.

`python -m benchmarks.slow_server` prints the port that it listens at; it ends with its input.
"""

from __future__ import annotations

import asyncio
import sys

DELAY_SECONDS = 0.05
CONNECTIONS_MAX = 4_096
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(DELAY_SECONDS)
    writer.write(ANSWER)
    await writer.drain()
    writer.close()


async def serve() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=CONNECTIONS_MAX)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
