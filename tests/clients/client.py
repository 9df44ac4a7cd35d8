"""The official Python client. README.md says what it reads and writes."""

import asyncio
import importlib.metadata
import json
import sys

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

MODES = {"legacy": "legacy", "modern": "2026-07-28"}


async def read():
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line else None


def write(message):
    print(json.dumps(message), flush=True)


async def called(client, call):
    try:
        result = await client.call_tool(call["tool"], call["arguments"])
    except Exception as error:  # Whatever it is, the next call may do better.
        return {"failed": repr(error)}
    return {
        "structured": result.structured_content,
        "text": "".join(block.text for block in result.content),
        "isError": bool(result.is_error),
    }


async def main():
    task = await read()
    server = task["url"] if "url" in task else StdioServerParameters(**task["program"])
    async with Client(server, mode=MODES[task["era"]]) as client:
        write({
            "library": importlib.metadata.version("mcp"),
            "protocol": client.protocol_version,
            "tools": [tool.name for tool in (await client.list_tools()).tools],
        })
        while call := await read():
            write(await called(client, call))


asyncio.run(main())
